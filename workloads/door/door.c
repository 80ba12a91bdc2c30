/*
 * The first process of every workload's container: door PROGRAM [ARGUMENT ...]
 *
 * It starts the program, passes its own input on to it, and ends everything in the container as soon as that input ends, whatever
 * the program does. The agent holds the other end: if the agent is gone, so is the work. Nothing in the container can stop this
 * process (signals do not reach the first process of a PID namespace from inside), read it (it is not dumpable) or replace it (its file lies on a
 * read-only mount).
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

static char held[65536];
/* What of `held` the program has not taken yet. */
static size_t from, to;

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

/* False: there will be no more input. */
static int take_in(void) {
  ssize_t got = read(STDIN_FILENO, held, sizeof held);
  if (got < 0 && errno == EINTR) return 1;
  if (got <= 0) return 0;
  from = 0;
  to = (size_t)got;
  return 1;
}

/* False: the program reads no more. */
static int hand_on(int program) {
  ssize_t gone = write(program, held + from, to - from);
  if (gone >= 0) from += (size_t)gone;
  return gone >= 0 || errno == EAGAIN || errno == EINTR;
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
  close(STDERR_FILENO);
  fcntl(pipes[1], F_SETFL, O_NONBLOCK);

  for (int listens = 1;;) {
    int full = from < to;
    /* Input that ends is noticed even while the program takes none: a hang-up is told of unasked. */
    struct pollfd watched[] = {{STDIN_FILENO, full ? 0 : POLLIN, 0}, {listens ? pipes[1] : -1, full ? POLLOUT : 0, 0}};
    int ready = ppoll(watched, 2, NULL, &before);
    reap(program);
    if (ready <= 0) continue;
    if (watched[0].revents & (POLLERR | POLLNVAL)) _exit(LEFT_ALONE);
    if (watched[0].revents & POLLIN) {
      if (!take_in()) _exit(LEFT_ALONE);
    } else if (watched[0].revents & POLLHUP) _exit(LEFT_ALONE);
    if (listens && (watched[1].revents & POLLERR)) listens = 0;
    if (listens && from < to) listens = hand_on(pipes[1]);
    if (!listens) from = to = 0;
  }
}
