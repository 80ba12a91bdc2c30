#define _GNU_SOURCE
#include "probe.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1024L * 1024L)

/* The limits come with the input, as the launch has them; each probe tries half as much again, and stops there. */
static void fork_bomb(const char *id)
{
	long limit = number_of("pids");
	long more = limit + limit / 2;
	long made = 0;
	pid_t *children = calloc((size_t)more, sizeof *children);
	int error = 0;
	for (; made < more; made++) {
		pid_t child = fork();
		if (child == 0) {
			pause();
			_exit(0);
		}
		if (child < 0) {
			error = errno;
			break;
		}
		children[made] = child;
	}
	for (long at = 0; at < made; at++)
		kill(children[at], SIGKILL);
	for (long at = 0; at < made; at++)
		waitpid(children[at], NULL, 0);
	char said[64];
	snprintf(said, sizeof said, "%s after %ld", error == 0 ? "done" : strerrorname_np(error), made);
	report(id, error == 0 ? ESCAPED : BLOCKED, said, "start %ld processes", more);
}

static void processor(const char *id)
{
	double cores = (double)number_of("millicores") / 1000;
	long runners = sysconf(_SC_NPROCESSORS_ONLN);
	struct rusage used;
	if (runners > 8)
		runners = 8;
	if ((double)runners <= cores) {
		report(id, UNAVAILABLE, "the limit is all there is", "use more than %.2f cores", cores);
		return;
	}
	double from = seconds_now();
	for (long at = 0; at < runners; at++)
		if (fork() == 0) {
			while (seconds_now() - from < 1.5)
				;
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	double wall = seconds_now() - from;
	getrusage(RUSAGE_CHILDREN, &used);
	double spent = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	char said[64];
	snprintf(said, sizeof said, "got %.2f", spent / wall);
	/* A period that was begun is used up: a fifth more than the quota over a second and a half is within it. */
	report(id, spent / wall > cores * 1.2 ? ESCAPED : BLOCKED, said, "use more than %.2f cores", cores);
}

static void fill(const char *id, const char *path, long bytes)
{
	static char block[MIB];
	int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	long written = 0;
	int error = file < 0 ? errno : 0;
	memset(block, 1, sizeof block);
	while (file >= 0 && written < bytes) {
		ssize_t put = write(file, block, sizeof block);
		if (put <= 0) {
			error = put < 0 ? errno : ENOSPC;
			break;
		}
		written += put;
	}
	unlink(path);
	char said[64];
	snprintf(said, sizeof said, "%s after %ld MiB", error == 0 ? "done" : strerrorname_np(error), written / MIB);
	report(id, error == 0 ? ESCAPED : BLOCKED, said, "write %ld MiB to %s", bytes / MIB, path);
}

static void disk(const char *id)
{
	long bytes = number_of("scratch");
	fill(id, "/tmp/fill", bytes + bytes / 2);
}

static void other_places(const char *id)
{
	fill(id, "/dev/shm/fill", number_of("shared") + 16 * MIB);
	fill(id, "/var/fill", 4 * MIB);
	fill(id, "/fill", 4 * MIB);
	fill(id, "/dev/fill", 4 * MIB);
}

static void many_files(const char *id)
{
	long limit = number_of("inodes");
	long more = limit + limit / 4;
	long made = 0;
	int error = 0;
	char path[64];
	for (; made < more; made++) {
		snprintf(path, sizeof path, "/tmp/f%ld", made);
		int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (file < 0) {
			error = errno;
			break;
		}
		close(file);
	}
	for (long at = 0; at < made; at++) {
		snprintf(path, sizeof path, "/tmp/f%ld", at);
		unlink(path);
	}
	char said[64];
	snprintf(said, sizeof said, "%s after %ld", error == 0 ? "done" : strerrorname_np(error), made);
	report(id, error == 0 ? ESCAPED : BLOCKED, said, "make %ld files", more);
}

static void open_files(const char *id)
{
	long limit = number_of("files");
	long opened = 0;
	int file = 0;
	while (opened < 2 * limit && (file = open("/dev/null", O_RDONLY)) >= 0)
		opened++;
	char said[64];
	snprintf(said, sizeof said, "%s after %ld", file >= 0 ? "done" : strerrorname_np(errno), opened);
	report(id, file >= 0 ? ESCAPED : BLOCKED, said, "open %ld files at once", 2 * limit);
}

static void core_dump(const char *id)
{
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		if (chdir("/tmp") != 0)
			_exit(1);
		abort();
	}
	waitpid(child, &status, 0);
	report(id, WCOREDUMP(status) ? ESCAPED : BLOCKED, WCOREDUMP(status) ? "written" : "none", "leave a core dump");
}

static void higher_limits(const char *id)
{
	static const struct {
		int kind;
		const char *name;
	} KINDS[] = { { RLIMIT_NOFILE, "open files" }, { RLIMIT_CORE, "core dumps" }, { RLIMIT_MEMLOCK, "locked memory" } };
	for (size_t at = 0; at < sizeof KINDS / sizeof *KINDS; at++) {
		struct rlimit now;
		if (getrlimit((__rlimit_resource_t)KINDS[at].kind, &now) != 0 || now.rlim_max == RLIM_INFINITY) {
			report(id, KINDS[at].kind == RLIMIT_MEMLOCK ? UNAVAILABLE : ESCAPED, "no limit", "raise the limit of %s",
			       KINDS[at].name);
			continue;
		}
		now.rlim_max++;
		did(id, setrlimit((__rlimit_resource_t)KINDS[at].kind, &now), "raise the limit of %s", KINDS[at].name);
	}
}

static void priority(const char *id)
{
	struct sched_param real = { .sched_priority = 1 };
	did(id, setpriority(PRIO_PROCESS, 0, -5), "run before others (nice)");
	did(id, sched_setscheduler(0, SCHED_FIFO, &real), "run before all others (real time)");
}

static void survive(const char *id)
{
	int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	did(id, file < 0 ? -1 : write(file, "-1000", 5), "be spared when memory runs out");
}

static void lock_memory(const char *id)
{
	void *some = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	did(id, mlock(some, 4 * MIB), "lock memory");
}

static void memory(const char *id)
{
	long bytes = number_of("memory");
	long more = bytes + bytes / 2;
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		char *all = mmap(NULL, (size_t)more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (all == MAP_FAILED)
			_exit(1);
		for (long at = 0; at < more; at += 4096)
			all[at] = 1;
		_exit(0);
	}
	waitpid(child, &status, 0);
	bool whole = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	report(id, whole ? ESCAPED : BLOCKED, whole ? "done" : WIFSIGNALED(status) ? "killed" : "ENOMEM", "use %ld MiB of memory",
	       more / MIB);
}

const struct probe limit_probes[] = {
	{ "processor", processor },
	{ "disk", disk },
	{ "other-places", other_places },
	{ "many-files", many_files },
	{ "open-files", open_files },
	{ "core-dump", core_dump },
	{ "higher-limits", higher_limits },
	{ "priority", priority },
	{ "survive", survive },
	{ "lock-memory", lock_memory },
	{ NULL, NULL },
};

const struct probe ending_probes[] = {
	{ "processes", fork_bomb },
	{ "memory", memory },
	{ NULL, NULL },
};
