# Cuts a video into pieces that are encoded one by one. In: its packets in order of presentation, `seconds,duration,flags` a line. Out: a
# line a piece, `from to seek frames`: its frames have time stamps within [from, to), and reading from `seek` finds them all.
#
# A cut lies half-way between two frames: rounding cannot put one on both sides or on neither. It is made where the source
# begins anew with a key frame, if there is one in reach, because then nothing before it need be decoded. No piece has more
# than `max` frames, or is longer than they are at 30 a second.
BEGIN {
  FS = ","
  MIN_SECONDS = 1
  # Half a millisecond: a time stamp was rounded when it was printed.
  HAIR = 0.0005
  # ffmpeg seeks this much earlier in containers that find by decoding order (3/23 s).
  EARLIER = 0.131
}
$1 ~ /^-?[0-9]/ && (n == 0 || $1 + 0 > at[n]) {
  at[++n] = $1 + 0
  key[n] = $3 ~ /^K/
}
END {
  for (first = 1; first <= n; first = next_one) {
    next_one = reach(first)
    from = first == 1 ? "start" : sprintf("%.6f", (at[first - 1] + at[first]) / 2)
    to = next_one > n ? "end" : sprintf("%.6f", (at[next_one - 1] + at[next_one]) / 2)
    seek = first == 1 ? "start" : sprintf("%.6f", at[first] + HAIR + (alone(first) ? EARLIER : 0))
    print from, to, seek, next_one - first
  }
}
# The frame that the piece after the one from `first` begins with.
function reach(first,    i, best) {
  best = 0
  for (i = first + 1; i <= n; i++) {
    if (at[i] - at[first] > max / 30 || i - first >= max) break
    if (key[i] && at[i] - at[first] >= MIN_SECONDS) best = i
  }
  return i > n || best == 0 ? i : best
}
# A key frame with none near behind it, which a seek past it would land on.
function alone(i,    j) {
  if (!key[i]) return 0
  for (j = i + 1; j <= n && at[j] - at[i] < 2 * EARLIER; j++) if (key[j]) return 0
  return 1
}
