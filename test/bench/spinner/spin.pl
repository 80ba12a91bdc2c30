# A job that works for ever and says when it last worked: each of its processes writes the machine's monotonic clock
# into its slot of /tmp/stamps after every turn. A slot is two native 64-bit numbers: seconds and nanoseconds.
use strict;
use warnings;
use POSIX ();

# System call numbers of clock_gettime, pwrite64.
my %CALLS = (x86_64 => [228, 18], aarch64 => [113, 68]);
my $MONOTONIC = 1;
my $SLOT = 16;
my $MIB = 1 << 20;

my ($clock_gettime, $pwrite64) = @{ $CALLS{ (POSIX::uname())[4] } // die qq({"error":"unknown machine"}\n) };
my $input = '';

# Whatever is at hand; nothing at the end of input.
sub more { return sysread(STDIN, $input, 65536, length $input) }

sub line {
  while (index($input, "\n") < 0) { return undef unless more() }
  $input =~ s/^([^\n]*)\n// or die;
  return $1;
}

sub spin {
  my ($stamps, $slot) = @_;
  my $now = "\0" x $SLOT;
  for (;;) {
    syscall $clock_gettime, $MONOTONIC, $now;
    syscall $pwrite64, fileno $stamps, $now, $SLOT, $slot * $SLOT;
  }
}

my $header = line() // exit 1;
my ($bytes) = $header =~ /"inputBytes":(\d+)/ or die;
my ($spinners) = $header =~ /"spinners":"(\d+)"/ or die;
my ($held) = $header =~ /"heldMiB":"(\d+)"/ or die;
while (length $input < $bytes) { more() or exit 1 }
substr($input, 0, $bytes) = '';

# Stands for a GPU's memory: held until the process is gone, whether it is frozen or not.
my $memory = 'm' x ($held * $MIB);
open my $stamps, '>', '/tmp/stamps' or die;
my @workers;
for my $slot (0 .. $spinners - 1) {
  my $pid = fork // die;
  if ($pid == 0) { POSIX::nice(19); spin($stamps, $slot); exit }
  push @workers, $pid;
}

$| = 1;
select STDERR;
$| = 1;
while (defined(my $said = line())) {
  if ($said eq 'freeze') { kill STOP => @workers }
  elsif ($said eq 'thaw') { kill CONT => @workers }
  elsif ($said eq 'stop') { last }
}
kill KILL => @workers;
exit 1;
