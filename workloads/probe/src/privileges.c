#define _GNU_SOURCE
#include "probe.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void become_root(const char *id)
{
	if (getuid() == 0) {
		report(id, ESCAPED, "it is root already", "become root");
		return;
	}
	did(id, setuid(0), "become root (setuid)");
	did(id, setgid(0), "become root's group (setgid)");
	gid_t disk = 6;
	did(id, setgroups(1, &disk), "join the group of the disks");
}

static void gain(const char *id, const char *path)
{
	pid_t child = fork();
	int status = 0;
	if (child == 0) {
		execl(path, path, (char *)NULL);
		_exit(1);
	}
	waitpid(child, &status, 0);
	/* 0: it ran and brought nothing. 1: it could not even run. */
	errno = EPERM;
	did(id, WIFEXITED(status) && WEXITSTATUS(status) == 42 ? 0 : -1, "run %s", path);
}

static void root_file(const char *id)
{
	gain(id, "/usr/local/bin/as-root");
}

static void capability_file(const char *id)
{
	gain(id, "/usr/local/bin/with-capabilities");
}

static void capabilities(const char *id)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };
	long has = syscall(SYS_capget, &header, data);
	if (has == 0 && (data[0].permitted != 0 || data[1].permitted != 0)) {
		report(id, ESCAPED, "it has some already", "take capabilities");
		return;
	}
	data[0].effective = data[0].permitted = data[0].inheritable = 1u << CAP_CHOWN;
	DID(id, capset, &header, data);
}

static void namespaces(const char *id)
{
	static const struct {
		int flag;
		const char *name;
	} KINDS[] = { { CLONE_NEWUSER, "user" },   { CLONE_NEWNS, "mount" }, { CLONE_NEWNET, "network" },
		      { CLONE_NEWPID, "process" }, { CLONE_NEWIPC, "ipc" },  { CLONE_NEWUTS, "host name" },
		      { CLONE_NEWCGROUP, "cgroup" } };
	for (size_t at = 0; at < sizeof KINDS / sizeof *KINDS; at++) {
		/* Each in a process of its own: a new user namespace would make the rest succeed. */
		pid_t child = fork();
		if (child == 0) {
			did(id, unshare(KINDS[at].flag), "make a %s namespace (unshare)", KINDS[at].name);
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
}

static void clone_user(const char *id)
{
	long child = syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | SIGCHLD), NULL, NULL, NULL, 0);
	if (child == 0)
		_exit(0);
	did(id, child, "make a user namespace (clone)");

	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	child = syscall(SYS_clone3, &args, sizeof args);
	if (child == 0)
		_exit(0);
	did(id, child, "make a user namespace (clone3)");
}

static void join_namespaces(const char *id)
{
	static const char *const NAMES[] = { "mnt", "net", "pid", "uts", "ipc", "cgroup", NULL };
	for (const char *const *name = NAMES; *name != NULL; name++) {
		char path[64];
		snprintf(path, sizeof path, "/proc/1/ns/%s", *name);
		int file = open(path, O_RDONLY | O_CLOEXEC);
		did(id, file < 0 ? -1 : setns(file, 0), "join %s", path);
	}
}

/* A child that waits, to be the victim. */
static pid_t victim(void)
{
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	return child;
}

static void trace(const char *id)
{
	pid_t child = victim();
	did(id, ptrace(PTRACE_ATTACH, child, NULL, NULL), "trace another process (ptrace)");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static volatile uint64_t secret = 42;

static void read_memory(const char *id)
{
	uint64_t copy = 0;
	struct iovec here = { .iov_base = &copy, .iov_len = sizeof copy };
	struct iovec there = { .iov_base = (void *)&secret, .iov_len = sizeof secret };
	pid_t child = victim();
	did(id, process_vm_readv(child, &here, 1, &there, 1, 0), "read another process's memory");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void take_file(const char *id)
{
	int process = (int)syscall(SYS_pidfd_open, getppid(), 0);
	if (process < 0)
		did(id, -1, "take an open file of another process (pidfd)");
	else
		did(id, syscall(SYS_pidfd_getfd, process, STDIN_FILENO, 0), "take an open file of another process (pidfd)");
}

/* Source of the fields: proc(5), /proc/pid/stat. */
static pid_t parent_of(pid_t process, char *state)
{
	char path[64], text[512];
	pid_t parent = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", process);
	if (!read_file(path, text, sizeof text))
		return 0;
	/* The name in brackets may hold anything. */
	const char *rest = strrchr(text, ')');
	if (rest != NULL)
		sscanf(rest, ") %c %d", state, &parent);
	return parent;
}

static bool descends(pid_t process, pid_t from)
{
	char state;
	while (process > 0 && process != from)
		process = parent_of(process, &state);
	return process == from;
}

/* Strangers are those who neither descend from the probe nor started it; what has ended and lies about is nobody. */
static void other_processes(const char *id)
{
	DIR *folder = opendir("/proc");
	int strangers = 0;
	if (folder == NULL) {
		did(id, -1, "see other processes");
		return;
	}
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		char state = 'Z';
		pid_t process = atoi(entry->d_name);
		if (process <= 0)
			continue;
		parent_of(process, &state);
		if (state != 'Z' && !descends(process, first_process) && !descends(first_process, process))
			strangers++;
	}
	closedir(folder);
	char count[32];
	snprintf(count, sizeof count, "%d", strangers);
	report(id, strangers > 0 ? ESCAPED : BLOCKED, strangers > 0 ? count : "none", "see other processes");
}

const struct probe privilege_probes[] = {
	{ "become-root", become_root },
	{ "root-file", root_file },
	{ "capability-file", capability_file },
	{ "capabilities", capabilities },
	{ "namespaces", namespaces },
	{ "clone-user", clone_user },
	{ "join-namespaces", join_namespaces },
	{ "trace", trace },
	{ "read-memory", read_memory },
	{ "take-file", take_file },
	{ "other-processes", other_processes },
	{ NULL, NULL },
};
