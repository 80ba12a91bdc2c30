# A job that does what its parameter says: a shell script, in base64.
IFS= read -r header
deed=$(printf %s "$header" | sed 's/.*"deed":"\([^"]*\)".*/\1/' | base64 -d)
eval "$deed"
