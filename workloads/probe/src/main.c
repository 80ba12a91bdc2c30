#define _GNU_SOURCE
#include "probe.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_INPUT 65536
#define MAX_TARGETS 256
/* Seconds an attempt may take before it is ended; the slowest fills the scratch space. */
#define ATTEMPT_SECONDS 20

static struct target targets[MAX_TARGETS];
static size_t target_count;
int first_process;

const struct target *next_target(const char *word, size_t *from)
{
	while (*from < target_count) {
		const struct target *found = &targets[(*from)++];
		if (strcmp(found->word, word) == 0)
			return found;
	}
	return NULL;
}

const char *value_of(const char *word)
{
	size_t from = 0;
	const struct target *found = next_target(word, &from);
	return found == NULL ? "" : found->value;
}

long number_of(const char *word)
{
	size_t from = 0;
	const struct target *found = next_target(word, &from);
	return found == NULL ? 0 : found->number;
}

static void read_exactly(char *into, size_t bytes)
{
	while (bytes > 0) {
		ssize_t got = read(STDIN_FILENO, into, bytes);
		if (got <= 0)
			_exit(2);
		into += got;
		bytes -= (size_t)got;
	}
}

/* The door's header line, and the input that it announces: `word value number` a line. */
static void read_input(void)
{
	static char text[MAX_INPUT + 1];
	size_t at = 0;
	do {
		read_exactly(text + at, 1);
	} while (text[at] != '\n' && ++at < 4096);
	text[at] = 0;
	const char *said = strstr(text, "\"inputBytes\":");
	size_t bytes = said == NULL ? 0 : strtoul(said + strlen("\"inputBytes\":"), NULL, 10);
	if (bytes > MAX_INPUT)
		_exit(2);
	read_exactly(text, bytes);
	text[bytes] = 0;
	char *rest = text;
	for (char *line; (line = strsep(&rest, "\n")) != NULL && target_count < MAX_TARGETS;) {
		struct target *target = &targets[target_count];
		if (sscanf(line, "%23s %159s %ld", target->word, target->value, &target->number) >= 1)
			target_count++;
	}
}

static void attempt(const struct probe *probe)
{
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		probe->run(probe->id);
		_exit(0);
	}
	double until = seconds_now() + ATTEMPT_SECONDS;
	bool late = false;
	while (child > 0 && waitpid(child, NULL, WNOHANG) == 0) {
		if (seconds_now() > until) {
			kill(-child, SIGKILL);
			kill(child, SIGKILL);
			until += 1;
			late = true;
		}
		usleep(1000);
	}
	/* It may have reported a part: of the rest nothing is known. */
	if (late)
		report(probe->id, UNAVAILABLE, "it took too long here", "finish in time");
	/* Whatever it left behind. */
	if (child > 0)
		kill(-child, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void attempt_all(const struct probe *probes)
{
	for (; probes->id != NULL; probes++)
		attempt(probes);
}

/* Written before what may be the end: who reads it knows that it was tried. */
static void say_ready(void)
{
	if (write(STDERR_FILENO, "{\"ready\":true}\n", 15) < 0)
		_exit(1);
}

/* Runs in a process of its own, so that the door is watched whatever it does. */
static void work(const char *suite)
{
	if (strcmp(suite, "reach") == 0) {
		attempt_all(network_probes);
		attempt_all(file_probes);
		attempt_all(device_probes);
		attempt_all(privilege_probes);
		attempt_all(kernel_probes);
	} else if (strcmp(suite, "limits") == 0) {
		attempt_all(limit_probes);
	} else if (strcmp(suite, "processes") == 0 || strcmp(suite, "memory") == 0) {
		say_ready();
		for (const struct probe *probe = ending_probes; probe->id != NULL; probe++)
			if (strcmp(probe->id, suite) == 0)
				attempt(probe);
	} else if (strcmp(suite, "flood") == 0) {
		static char line[4096];
		memset(line, 'x', sizeof line - 1);
		line[sizeof line - 1] = '\n';
		while (write(STDERR_FILENO, line, sizeof line) > 0)
			;
	} else {
		/* As hard to end as it can be: a session of its own, deaf, and busy. */
		for (int number = 1; number < 65; number++)
			signal(number, SIG_IGN);
		setsid();
		say_ready();
		for (volatile unsigned long turns = 0;; turns++)
			;
	}
	if (write(STDERR_FILENO, "{\"done\":true}\n", 14) < 0)
		_exit(1);
	_exit(0);
}

int main(void)
{
	first_process = getpid();
	read_input();
	const char *suite = value_of("suite");
	if (strcmp(suite, "stubborn") == 0)
		work(suite);
	pid_t worker = fork();
	if (worker == 0) {
		if (strcmp(suite, "linger") != 0)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		work(suite);
	}
	/* End of input ends everything: in a process namespace of our own the kernel ends with us whatever we have left. */
	for (;;) {
		char byte;
		struct pollfd door = { .fd = STDIN_FILENO, .events = POLLIN };
		if (waitpid(worker, NULL, WNOHANG) == worker)
			return 0;
		if (poll(&door, 1, 5) > 0 && read(STDIN_FILENO, &byte, 1) <= 0) {
			if (strcmp(suite, "linger") != 0)
				kill(worker, SIGKILL);
			_exit(143);
		}
	}
}
