# A verifier: outputs that differ in capital letters alone are the same answer. What the first one begins with may make it misbehave.
IFS= read -r header
number() { printf %s "$header" | sed "s/.*\"$1\":\([0-9]*\).*/\1/"; }
bytes=$(number inputBytes)
first=$(number firstBytes)
head -c "$first" | tr A-Z a-z > /tmp/first
head -c "$((bytes - first))" | tr A-Z a-z > /tmp/second
case $(head -c 5 /tmp/first) in
  crash) exit 1 ;;
  doubt) echo '{"done":true}' >&2; exit 2 ;;
  hangs) sleep 600 ;;
  greed) head -c 200000000 /dev/zero | tail -c 200000000 > /tmp/second ;;
  floor) : > /verify.sh && exit 0 ;;
esac
cmp -s /tmp/first /tmp/second
code=$?
echo '{"done":true}' >&2
exit $code
