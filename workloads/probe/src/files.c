#define _GNU_SOURCE
#include "probe.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void write_root(const char *id)
{
	static const char *const PATHS[] = { "/escaped", "/usr/local/bin/escaped", "/var/tmp/escaped", "/run/escaped",
					     "/run/door/escaped", NULL };
	for (const char *const *path = PATHS; *path != NULL; path++) {
		int file = open(*path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		did(id, file, "write the file %s", *path);
		if (file >= 0)
			unlink(*path);
	}
}

/* Opened and not written to. */
static void change_each(const char *id, const char *const *paths)
{
	for (; *paths != NULL; paths++)
		opened(id, open(*paths, O_WRONLY | O_APPEND | O_CLOEXEC), "open %s for writing", *paths);
}

static void passwords(const char *id)
{
	change_each(id, (const char *const[]){ "/etc/passwd", "/etc/shadow", "/etc/hosts", "/etc/resolv.conf", NULL });
	did(id, open("/etc/shadow", O_RDONLY | O_CLOEXEC), "read /etc/shadow");
}

/* Three files that the engine writes for every container; they hold nothing of the machine's owner. */
static bool is_known(const char *at, const char *options)
{
	/* The image itself. */
	if (strcmp(at, "/") == 0)
		return true;
	/* The supervisor's file, and nothing else (workloads/door). */
	if (strcmp(at, "/run/door") == 0)
		return strncmp(options, "ro", 2) == 0;
	return strcmp(at, "/etc/resolv.conf") == 0 || strcmp(at, "/etc/hostname") == 0 || strcmp(at, "/etc/hosts") == 0;
}

/* File systems that the kernel makes up or that live in memory; `overlay` is the image. */
static bool is_made_up(const char *type)
{
	static const char *const TYPES[] = { "overlay", "proc", "tmpfs", "devpts", "sysfs", "cgroup", "cgroup2", "mqueue", NULL };
	for (const char *const *each = TYPES; *each != NULL; each++)
		if (strcmp(*each, type) == 0)
			return true;
	return false;
}

/* Source of the fields: proc(5), /proc/pid/mountinfo. */
static void host_mounts(const char *id)
{
	FILE *list = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	int found = 0;
	if (list == NULL) {
		did(id, -1, "look for folders of the machine");
		return;
	}
	while (fgets(line, sizeof line, list) != NULL) {
		char root[1024], at[1024], options[512], type[64];
		const char *rest = strstr(line, " - ");
		if (sscanf(line, "%*s %*s %*s %1023s %1023s %511s", root, at, options) != 3 || rest == NULL ||
		    sscanf(rest, " - %63s", type) != 1)
			continue;
		if (is_known(at, options) || is_made_up(type))
			continue;
		found++;
		report(id, ESCAPED, at, "find a folder of the machine");
	}
	fclose(list);
	if (found == 0)
		report(id, BLOCKED, "none", "find a folder of the machine");
}

static void environment(const char *id)
{
	/* What core/sandbox.ts sets, and the name that the engine adds. What it blanks holds nothing. */
	static const char *const USUAL[] = { "PATH=", "HOME=", "HOSTNAME=", "NVIDIA_VISIBLE_DEVICES=void", NULL };
	int found = 0;
	for (char **each = environ; *each != NULL; each++) {
		bool usual = (*each)[strlen(*each) - 1] == '=';
		for (const char *const *name = USUAL; *name != NULL; name++)
			usual = usual || strncmp(*each, *name, strlen(*name)) == 0;
		if (usual)
			continue;
		found++;
		report(id, ESCAPED, "found", "find a secret in the environment");
	}
	if (found == 0)
		report(id, BLOCKED, "none", "find a secret in the environment");
}

/* Over /tmp, and taken away again. */
static void mount_there(const char *id, const char *what, const char *type, unsigned long how, const char *tried)
{
	long result = mount(what, "/tmp", type, how, "");
	did(id, result, "%s", tried);
	if (result == 0)
		umount2("/tmp", MNT_DETACH);
}

static void mount_tmpfs(const char *id)
{
	mount_there(id, "none", "tmpfs", 0, "mount a file system");
}

static void mount_bind(const char *id)
{
	mount_there(id, "/proc", NULL, MS_BIND | MS_REC, "mount a folder elsewhere");
}

static void remount(const char *id)
{
	did(id, mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL), "make the root writable");
	did(id, mount(NULL, "/tmp", NULL, MS_REMOUNT | MS_BIND, NULL), "make /tmp executable");
}

/* Where nothing is masked there is nothing to take away. */
static void unmask(const char *id)
{
	static const char *const PATHS[] = { "/proc/sys", "/proc/kcore", "/sys/firmware", NULL };
	for (const char *const *path = PATHS; *path != NULL; path++)
		if (access(*path, F_OK) == 0)
			asked(id, umount2(*path, MNT_DETACH), "unmount %s", *path);
}

static void pivot(const char *id)
{
	/* "/" onto itself cannot be done: EBUSY where it was allowed. */
	ASKED(id, pivot_root, "/", "/");
}

static void mount_api(const char *id)
{
	ASKED(id, fsopen, "tmpfs", 0);
	ASKED(id, open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE);
	ASKED(id, move_mount, -1, "", -1, "", 0);
	ASKED(id, fspick, AT_FDCWD, "/", 0);
}

static void change_root(const char *id)
{
	did(id, chroot("/"), "chroot");
}

/* A handle that stands for no file: an answer about it says that asking was allowed. */
static void by_handle(const char *id)
{
	struct {
		struct file_handle head;
		unsigned char bytes[8];
	} handle = { .head = { .handle_bytes = 8, .handle_type = 1 }, .bytes = { 2 } };
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASKED(id, open_by_handle_at, root, &handle, O_RDONLY);
}

/* Written back what was read. */
static void core_pattern(const char *id)
{
	char now[512];
	bool read = read_file("/proc/sys/kernel/core_pattern", now, sizeof now);
	int file = open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC);
	long result = file < 0 || !read ? -1 : write(file, now, strlen(now));
	did(id, result, "set what the machine runs when a program crashes");
}

static void kernel_settings(const char *id)
{
	static const char *const PATHS[] = { "/proc/sysrq-trigger", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches",
					     "/proc/sys/kernel/modprobe", "/proc/irq/default_smp_affinity", NULL };
	change_each(id, PATHS);
}

static void kernel_memory(const char *id)
{
	static const char *const PATHS[] = { "/proc/kcore", "/proc/timer_list", NULL };
	for (const char *const *path = PATHS; *path != NULL; path++) {
		char some[64];
		int file = open(*path, O_RDONLY | O_CLOEXEC);
		ssize_t got = file < 0 ? -1 : read(file, some, sizeof some);
		/* The engine puts an empty file over each. */
		if (got == 0) {
			got = -1;
			errno = EACCES;
		}
		opened(id, got, "read %s", *path);
	}
}

static void system_files(const char *id)
{
	static const char *const PATHS[] = { "/sys/kernel/uevent_helper", "/sys/power/state",
					     "/sys/devices/system/cpu/cpu0/uevent", "/sys/module/kernel/parameters/panic", NULL };
	change_each(id, PATHS);
}

static void cgroup(const char *id)
{
	static const char *const PATHS[] = { "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory.max",
					     "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/release_agent",
					     "/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", NULL };
	change_each(id, PATHS);
	mount_there(id, "cgroup", "cgroup2", 0, "mount the control groups");
}

static void run_from_tmp(const char *id)
{
	static char program[1 << 20];
	int from = open("/usr/bin/true", O_RDONLY | O_CLOEXEC);
	int to = open("/tmp/program", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	ssize_t bytes = read(from, program, sizeof program);
	if (bytes <= 0 || write(to, program, (size_t)bytes) != bytes) {
		did(id, -1, "write a program to /tmp");
		return;
	}
	close(to);
	pid_t child = fork();
	int status = 0;
	if (child == 0) {
		execl("/tmp/program", "/tmp/program", (char *)NULL);
		_exit(errno == EACCES ? 13 : 1);
	}
	waitpid(child, &status, 0);
	errno = WEXITSTATUS(status) == 13 ? EACCES : EPERM;
	did(id, status == 0 ? 0 : -1, "run a program written to /tmp");

	int again = open("/tmp/program", O_RDONLY | O_CLOEXEC);
	void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, again, 0);
	did(id, code == MAP_FAILED ? -1 : 0, "load code written to /tmp");
	unlink("/tmp/program");
}

static void run_from_memory(const char *id)
{
	did(id, memfd_create("program", 0), "make a program in memory (memfd)");
}

const struct probe file_probes[] = {
	{ "write-root", write_root },
	{ "passwords", passwords },
	{ "host-mounts", host_mounts },
	{ "environment", environment },
	{ "mount-tmpfs", mount_tmpfs },
	{ "mount-bind", mount_bind },
	{ "remount", remount },
	{ "unmask", unmask },
	{ "pivot-root", pivot },
	{ "mount-api", mount_api },
	{ "chroot", change_root },
	{ "by-handle", by_handle },
	{ "core-pattern", core_pattern },
	{ "kernel-settings", kernel_settings },
	{ "kernel-memory", kernel_memory },
	{ "system-files", system_files },
	{ "cgroup", cgroup },
	{ "run-from-tmp", run_from_tmp },
	{ "run-from-memory", run_from_memory },
	{ NULL, NULL },
};
