#!/bin/sh
# Transcodes one video through the job door (workloads/README.md). Runs as PID 1 of a container without network.
# Inputs are hostile: the only defences here are narrow parsing and few demuxers; the container is the real one.
#
# The sound is encoded first, then the picture in pieces of a few seconds (plan.awk), each by an encoder of its own. What a
# piece becomes depends on the input, the parameters and its place alone, so each is a checkpoint: the k-th frame handed out.
# At last they are put together.
set -u
export LC_ALL=C
here=${0%/*}

say() { printf '%s\n' "$1" >&2; }
# The text may quote the input's own bytes: jq makes it valid JSON of bounded length.
give_up() {
  printf '%s' "$1" | tail -c 400 | jq -Rsc '{error: .}' >&2
  exit "${2:-1}"
}
size_of() { stat -c %s "$1"; }

# PID 1 ignores signals it has no handler for, and every long step runs in the background so that `wait` can be broken off.
# The kernel ends whatever else runs in the container when PID 1 exits.
trap 'exit 143' TERM

exec 3<&0
IFS= read -r header <&3 || give_up 'no header line'
field() { printf '%s' "$header" | jq -er "$1" 2>/dev/null; }
bytes=$(field '.inputBytes | select(type == "number" and . > 0 and . == floor) | tostring') || give_up 'header: inputBytes'
saved=$(field '.checkpointBytes | select(type == "number" and . >= 0 and . == floor) | tostring') ||
  give_up 'header: checkpointBytes'
height=$(field '.params.height') || give_up 'header: height'
preset=$(field '.params.preset') || give_up 'header: preset'
crf=$(field '.params.crf') || give_up 'header: crf'
case $height in 240 | 360 | 480 | 720) ;; *) give_up 'height is not offered' ;; esac
# The most frames of a piece: about five seconds of work for one core. More than the 250 between key frames that encoders leave by
# default, where reading them twice would count.
case $preset in
  ultrafast) most=600 ;;
  veryfast) most=300 ;;
  medium) most=120 ;;
  *) give_up 'preset is not offered' ;;
esac
case $crf in 20 | 23 | 28) ;; *) give_up 'crf is not offered' ;; esac

head -c "$bytes" <&3 >/tmp/input || give_up 'the input does not fit'
[ "$(size_of /tmp/input)" = "$bytes" ] || give_up 'the input ended early' 3

# What the agent says through the door. Signals to -1 reach everything here but this reader and PID 1, which only waits.
# Dead-man's switch: the end of this read means the agent is gone.
heed() {
  while IFS= read -r word <&3; do
    case $word in
      freeze) kill -STOP -1 ;;
      thaw) kill -CONT -1 ;;
      stop) break ;;
    esac
  done
  kill -CONT -1
  kill -TERM 1
}
# Until the checkpoints are read, what comes through the door is not for it.
[ "$saved" -gt 0 ] || heed &

# One instruction set on every machine of an architecture: float rounding must not depend on the processor's age.
fixed=''
if [ "$(uname -m)" = x86_64 ]; then
  fixed='-cpuflags mmx+mmxext+sse+sse2+sse3+ssse3'
  export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4
fi
open='-protocol_whitelist file,pipe -format_whitelist mov,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,wav,mp3 -max_pixels 35389440'
# Below the reader at the door, which must get the processor at once to stop this.
calmly() { nice -n 19 ffmpeg -nostdin -hide_banner -loglevel error "$@" 2>/tmp/log; }
encode() { calmly "$@" </dev/null; }
# 1 MiB. What a full disk has cut short must not be taken for all there is.
roomy() { [ "$(stat -f -c %a /tmp)" -gt 256 ]; }
about() { ffprobe -v error $open "$@" 2>/tmp/log </dev/null; }

about -show_entries format=format_name -of csv=p=0 /tmp/input >/tmp/kind &
wait $! || give_up "not a video that is read here: $(tail -c 300 /tmp/log)"
# Pieces are found by seeking, which is exact in these two containers only. What the second does not take stays as it is, in one
# piece. This comes before the checkpoints, and is given up where there is no room for it: what the result is made of must not
# depend on the room that there is.
exact=1
case $(cat /tmp/kind) in
  *mov*) mv /tmp/input /tmp/source ;;
  *)
    encode $open -fflags +genpts -i /tmp/input -map 0:v:0 -map '0:a:0?' -sn -dn -c copy -fflags +bitexact \
      -f matroska -y /tmp/source &
    wait $!
    code=$?
    if [ "$code" = 0 ]; then
      rm -f /tmp/input
    else
      # Killed, or out of room: not the input's doing.
      [ "$code" -lt 128 ] && roomy || give_up 'the input does not fit twice'
      mv /tmp/input /tmp/source
      exact=0
    fi
    ;;
esac

# The pieces that an earlier run has made.
got=0
have=0
while [ "$got" -lt "$saved" ]; do
  IFS= read -r line <&3 || give_up 'the checkpoints ended early' 3
  # As the agent writes it; a parser for each would take longer than all else here.
  size=${line#'{"frame":"checkpoint","bytes":'}
  size=${size%%[!0-9]*}
  [ -n "$size" ] || give_up 'a checkpoint is not in a frame'
  head -c "$size" <&3 >"/tmp/piece.$have" || give_up 'the checkpoints do not fit'
  [ "$(size_of "/tmp/piece.$have")" = "$size" ] || give_up 'the checkpoints ended early' 3
  # All pieces are MPEG transport streams.
  [ $((size % 188)) = 0 ] || give_up 'a checkpoint is not one of these'
  got=$((got + ${#line} + 1 + size))
  have=$((have + 1))
done
[ "$saved" = 0 ] || heed &

about -show_entries format=start_time -of csv=p=0 /tmp/source >/tmp/start &
wait $! || give_up "ffprobe: $(tail -c 300 /tmp/log)"
start=$(cat /tmp/start)
case $start in '' | *[!0-9.-]*) start=0 ;; esac
about -select_streams v:0 -show_entries packet=pts_time,duration_time,flags -of csv=p=0 /tmp/source >/tmp/packets &
wait $! || give_up "ffprobe: $(tail -c 300 /tmp/log)"
sort -t, -k1,1g /tmp/packets >/tmp/sorted &
wait $! && roomy || give_up 'the list of pictures does not fit'
# Reading larger pictures takes its time, too.
pixels=$(about -select_streams v:0 -show_entries stream=width,height -of csv=p=0 /tmp/source | awk -F, 'NR == 1 { print $1 * $2 }')
[ "${pixels:-0}" -le 2073600 ] || most=$((most * 2073600 / pixels + 1))
awk -v max="$most" -f "$here/plan.awk" /tmp/sorted >/tmp/plan &
wait $! && roomy || give_up 'the list of pieces does not fit'
# How long the last picture is shown, in ticks: a transport stream does not tell, and without it the picture is not shown.
shown=$(tail -n 1 /tmp/sorted | awk -F, '{ ticks = 3600 } $2 + 0 > 0 { ticks = int($2 * 90000 + 0.5) } { print ticks }')
shown=${shown:-3600}
# Without time stamps there is one piece, too.
[ "$exact" = 1 ] && [ -s /tmp/plan ] || echo "start end start $(($(wc -l </tmp/sorted) + 1))" >/tmp/plan
rm -f /tmp/packets /tmp/sorted
total=$(awk '{ n += $4 } END { print n }' /tmp/plan)
[ "$have" -le $(($(wc -l </tmp/plan) + 1)) ] || give_up 'there are more checkpoints than pieces'

# Takes frames of the picture that are done; the rest is for the sound and for putting it together.
last=-1
percent_of() { percent=$((1 + $1 * 97 / total)); }
progress() {
  percent_of "$1"
  [ "$percent" -le 98 ] || percent=98
  [ "$percent" -gt "$last" ] || return 0
  last=$percent
  say "$(printf '{"progress":0.%02d}' "$percent")"
}
# Passes an encoder's own count on; ends as it ended.
follow() {
  while IFS='=' read -r key value; do
    case $key in
      exit) return "$value" ;;
      frame)
        case $value in '' | *[!0-9]*) continue ;; esac
        progress $(($1 + value))
        ;;
    esac
  done
  return 1
}
put() {
  { printf '{"frame":"%s","bytes":%s}\n' "$1" "$(size_of "$2")" && cat "$2"; } &
  wait $!
}

# Ten seconds later, so that no time stamp is negative, which a transport stream cannot tell.
piece='-copyts -muxdelay 0 -muxpreload 0 -output_ts_offset 10 -mpegts_flags +initial_discontinuity -fflags +bitexact -f mpegts'

sound() {
  encode $fixed -copyts $open -i /tmp/source -map '0:a:0?' -vn -sn -dn -map_metadata -1 -map_chapters -1 \
    -af "asetpts='round(PTS-($start)/TB)'" -c:a aac -b:a 128k -ac 2 -ar 48000 -flags:a +bitexact $piece -y "$1"
}
# from to seek
picture() {
  cut=trim
  [ "$1" = start ] || cut="trim=start=$1"
  [ "$2" = end ] || cut="$cut,trim=end=$2"
  seek=''
  [ "$3" = start ] || seek="-seek_timestamp 1 -noaccurate_seek -ss $3"
  # Fixed thread counts: the encoder's output depends on them. A lookahead that runs beside the rest makes it depend on who is
  # quicker, too.
  encode $fixed -stats_period 0.25 -copyts $seek $open -threads 2 -i /tmp/source -map 0:v:0 -an -sn -dn \
    -map_metadata -1 -map_chapters -1 -filter_threads 1 \
    -vf "$cut,setpts='round(PTS-($start)/TB)',scale=-2:'2*trunc(min($height,ih)/2)':flags=bicubic+accurate_rnd+bitexact,format=yuv420p" \
    -vsync passthrough -enc_time_base 1/90000 \
    -c:v libx264 -preset "$preset" -crf "$crf" -threads 4 -x264-params threads=4:lookahead-threads=1:sync-lookahead=0 -flags:v +bitexact \
    $piece -progress pipe:1 -y "$4"
  echo "exit=$?"
}

if [ "$have" = 0 ]; then
  : >/tmp/next
  tracks=$(about -select_streams a:0 -show_entries stream=index -of csv=p=0 /tmp/source) || give_up 'ffprobe failed'
  if [ -n "$tracks" ]; then
    sound /tmp/next &
    wait $! || give_up "ffmpeg: $(tail -c 300 /tmp/log)"
  fi
  mv /tmp/next /tmp/piece.0
  put checkpoint /tmp/piece.0 || give_up 'a checkpoint could not be sent'
  have=1
fi

at=1
before=0
while read -r from to seek frames; do
  if [ "$at" -ge "$have" ]; then
    picture "$from" "$to" "$seek" /tmp/next | follow "$before" &
    wait $! || give_up "ffmpeg: $(tail -c 300 /tmp/log)"
    mv /tmp/next "/tmp/piece.$at"
    # `follow` has said so far, and keeps it to itself.
    percent_of $((before + frames))
    last=$percent
    put checkpoint "/tmp/piece.$at" || give_up 'a checkpoint could not be sent'
  fi
  at=$((at + 1))
  before=$((before + frames))
  progress "$before"
done </tmp/plan
rm -f /tmp/source

# Each goes when it has been read: there need not be room for all of them beside the result.
pieces() {
  k=1
  while [ "$k" -lt "$at" ]; do
    cat "/tmp/piece.$k"
    rm -f "/tmp/piece.$k"
    k=$((k + 1))
  done
}
heard='' maps='-map 0:v:0'
[ ! -s /tmp/piece.0 ] || heard='-f mpegts -i /tmp/piece.0' maps="$maps -map 1:a:0"
pieces | calmly -copyts -f mpegts -i pipe:0 $heard $maps -c copy -bsf:v "setts=pts=PTS:dts=DTS:duration=$shown" \
  -output_ts_offset -10 -map_metadata -1 -video_track_timescale 90000 -fflags +bitexact -movflags +faststart \
  -f mp4 -y /tmp/output &
wait $! || give_up "ffmpeg: $(tail -c 300 /tmp/log)"
rm -f /tmp/piece.0

put output /tmp/output || give_up 'the output could not be sent'
say '{"progress":1}'
say '{"done":true}'
