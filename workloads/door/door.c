/*
 * The first process of every workload's container: door PROGRAM [ARGUMENT ...]
 *
 * It starts the program, passes its own input on to it, and ends everything in the container as soon as that input ends, whatever
 * the program does. The agent holds the other end: if the agent is gone, so is the work. Nothing in the container can stop this
 * process (signals do not reach the first process of a PID namespace from inside), read it (it is not dumpable) or replace it
 * (its file lies on a read-only mount).
 *
 * The end of input must not wait behind input that the program does not take: the engine would tell of it only when that is read. So all
 * input is taken at once, and the agent sends no more than WINDOW bytes ahead of what the program has taken, of which it is told
 * by lines {"door":BYTES} on standard error. More than that can only come if the program forged such a line, and ends it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT_START = 127, LEFT_ALONE = 143, BY_SIGNAL = 128 };
/* Known to the agent (agent/adapters/docker-window.ts). */
enum { WINDOW = 4 << 20, TELL_EVERY = 1 << 20 };

/* A ring: what the program has not taken yet begins at `taken` and ends at `got`, both counted from the beginning. */
static char held[WINDOW];
static unsigned long long got, taken, told;

static void child_ended(int signal) { (void)signal; }

/* Everybody whose parent is gone is ours; ends with the program itself. */
static void reap(pid_t program) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid != program) continue;
    _exit(WIFSIGNALED(status) ? BY_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status));
  }
}

static pid_t start(char **words, int pipes[2], const sigset_t *before) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  sigprocmask(SIG_SETMASK, before, NULL);
  signal(SIGPIPE, SIG_DFL);
  dup2(pipes[0], STDIN_FILENO);
  execvp(words[0], words);
  fprintf(stderr, "{\"error\":\"the image's program cannot be started: %s\"}\n", strerror(errno));
  _exit(CANNOT_START);
}

static size_t least(size_t one, size_t other) { return one < other ? one : other; }

/* False: there will be no more input. */
static int take_in(void) {
  size_t at = got % WINDOW, room = WINDOW - (size_t)(got - taken);
  ssize_t read_now = read(STDIN_FILENO, held + at, least(room, WINDOW - at));
  if (read_now > 0) got += (size_t)read_now;
  return read_now > 0 || (read_now < 0 && errno == EINTR);
}

/* False: the program reads no more. */
static int hand_on(int program) {
  size_t at = taken % WINDOW;
  ssize_t gone = write(program, held + at, least((size_t)(got - taken), WINDOW - at));
  if (gone >= 0) taken += (size_t)gone;
  return gone >= 0 || errno == EAGAIN || errno == EINTR;
}

static void tell(void) {
  if (taken - told < TELL_EVERY) return;
  told = taken;
  dprintf(STDERR_FILENO, "{\"door\":%llu}\n", told);
}

int main(int count, char **words) {
  int pipes[2];
  sigset_t blocked, before;
  if (count < 2) return CANNOT_START;
  prctl(PR_SET_DUMPABLE, 0);
  if (pipe2(pipes, O_CLOEXEC) != 0) return CANNOT_START;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCHLD);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  sigaction(SIGCHLD, &(struct sigaction){.sa_handler = child_ended}, NULL);
  signal(SIGPIPE, SIG_IGN);
  pid_t program = start(words + 1, pipes, &before);
  if (program < 0) return CANNOT_START;
  close(pipes[0]);
  /* Its output ends when the program's does. */
  close(STDOUT_FILENO);
  fcntl(pipes[1], F_SETFL, O_NONBLOCK);

  for (int listens = 1;;) {
    int waits = got > taken, full = got - taken == WINDOW;
    struct pollfd watched[] = {{STDIN_FILENO, POLLIN, 0}, {listens ? pipes[1] : -1, waits ? POLLOUT : 0, 0}};
    int ready = ppoll(watched, 2, NULL, &before);
    reap(program);
    if (ready <= 0) continue;
    if (watched[0].revents && (full || !take_in())) _exit(LEFT_ALONE);
    if (listens && (watched[1].revents & POLLERR)) listens = 0;
    if (listens && got > taken) listens = hand_on(pipes[1]);
    /* Nobody will ask for it. */
    if (!listens) taken = got;
    tell();
  }
}
