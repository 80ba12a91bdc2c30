#!/bin/sh
# Transcodes one video through the job door (workloads/README.md). Runs as PID 1 of a container without network.
# Inputs are hostile: the only defences here are narrow parsing and few demuxers; the container is the real one.
set -u

say() { printf '%s\n' "$1" >&2; }
# The text may quote the input's own bytes: jq makes it valid JSON of bounded length.
give_up() {
  printf '%s' "$1" | tail -c 400 | jq -Rsc '{error: .}' >&2
  exit "${2:-1}"
}

# PID 1 ignores signals it has no handler for, and every long step runs in the background so that `wait` can be broken off.
# The kernel ends whatever else runs in the container when PID 1 exits.
trap 'exit 143' TERM

exec 3<&0
IFS= read -r header <&3 || give_up 'no header line'
field() { printf '%s' "$header" | jq -er "$1" 2>/dev/null; }
bytes=$(field '.inputBytes | select(type == "number" and . > 0 and . == floor) | tostring') || give_up 'header: inputBytes'
height=$(field '.params.height') || give_up 'header: height'
preset=$(field '.params.preset') || give_up 'header: preset'
crf=$(field '.params.crf') || give_up 'header: crf'
case $height in 240 | 360 | 480 | 720) ;; *) give_up 'height is not offered' ;; esac
case $preset in ultrafast | veryfast | medium) ;; *) give_up 'preset is not offered' ;; esac
case $crf in 20 | 23 | 28) ;; *) give_up 'crf is not offered' ;; esac

head -c "$bytes" <&3 >/tmp/input || give_up 'the input does not fit'
[ "$(stat -c %s /tmp/input)" = "$bytes" ] || give_up 'the input ended early' 3

# What the agent says through the door. Signals to -1 reach everything here but this reader and PID 1, which only waits.
# Dead-man's switch: the end of this read means the agent is gone.
(
  while IFS= read -r word <&3; do
    case $word in
      freeze) kill -STOP -1 ;;
      thaw) kill -CONT -1 ;;
      stop) break ;;
    esac
  done
  kill -CONT -1
  kill -TERM 1
) &

# One instruction set on every machine of an architecture: float rounding must not depend on the processor's age.
fixed=''
if [ "$(uname -m)" = x86_64 ]; then
  fixed='-cpuflags mmx+mmxext+sse+sse2+sse3+ssse3'
  export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4
fi
open='-protocol_whitelist file,pipe -format_whitelist mov,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,wav,mp3 -max_pixels 35389440'

ffprobe -v error $open -show_entries format=duration -of csv=p=0 /tmp/input >/tmp/duration 2>/tmp/log </dev/null &
wait $! || give_up "not a video that is read here: $(tail -c 300 /tmp/log)"
microseconds() { jq -er '. * 1000000 | floor' /tmp/duration 2>/dev/null; }
total=$(microseconds) || total=0
if [ "$total" -le 0 ]; then
  # A recording that was piped into its file does not say how long it is: its last packet does.
  ffprobe -v error $open -select_streams v:0 -show_entries packet=pts_time -of default=nw=1:nk=1 /tmp/input \
    2>/dev/null </dev/null | tail -n 1 >/tmp/duration &
  wait $!
  total=$(microseconds) || total=0
fi

transcode() {
  # Fixed thread counts: the encoder's output depends on them.
  # Below the reader at the door, which must get the processor at once to stop this.
  nice -n 19 ffmpeg -nostdin -hide_banner -loglevel error $fixed -stats_period 0.25 $open -threads 2 -i /tmp/input \
    -map 0:v:0 -map '0:a:0?' -sn -dn -map_metadata -1 -map_chapters -1 -filter_threads 1 \
    -vf "scale=-2:'2*trunc(min($height,ih)/2)':flags=bicubic+accurate_rnd+bitexact,format=yuv420p" \
    -c:v libx264 -preset "$preset" -crf "$crf" -threads 4 -x264-params threads=4:lookahead-threads=1 -flags:v +bitexact \
    -c:a aac -b:a 128k -ac 2 -ar 48000 -flags:a +bitexact \
    -fflags +bitexact -movflags +faststart -f mp4 -progress pipe:1 -y /tmp/output 2>/tmp/log </dev/null
  echo "exit=$?"
}
follow() {
  last=-1
  while IFS='=' read -r key value; do
    case $key in
      exit) return "$value" ;;
      out_time_us)
        case $value in '' | *[!0-9]*) continue ;; esac
        [ "$total" -gt 0 ] || continue
        percent=$((value * 100 / total))
        [ "$percent" -le 99 ] || percent=99
        [ "$percent" -gt "$last" ] || continue
        last=$percent
        say "$(printf '{"progress":0.%02d}' "$percent")"
        ;;
    esac
  done
  return 1
}
transcode | follow &
wait $! || give_up "ffmpeg: $(tail -c 300 /tmp/log)"
rm -f /tmp/input

cat /tmp/output &
wait $! || give_up 'the output could not be sent'
say '{"progress":1}'
say '{"done":true}'
