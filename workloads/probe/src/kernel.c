#define _GNU_SOURCE
#include "probe.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/fanotify.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void keys(const char *id)
{
	DID(id, add_key, "user", "idlemesh-probe", "x", 1, KEY_SPEC_PROCESS_KEYRING);
	DID(id, keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1);
	ASKED(id, request_key, "user", "idlemesh-probe", NULL, 0);
}

static void bpf(const char *id)
{
	union bpf_attr attributes;
	memset(&attributes, 0, sizeof attributes);
	attributes.map_type = BPF_MAP_TYPE_ARRAY;
	attributes.key_size = attributes.value_size = 4;
	attributes.max_entries = 1;
	ASKED(id, bpf, BPF_MAP_CREATE, &attributes, sizeof attributes);
}

static void perf(const char *id)
{
	struct perf_event_attr attributes = { .type = PERF_TYPE_SOFTWARE,
					      .size = sizeof attributes,
					      .config = PERF_COUNT_SW_CPU_CLOCK };
	ASKED(id, perf_event_open, &attributes, 0, -1, -1, 0);
}

static void fault_handling(const char *id)
{
	ASKED(id, userfaultfd, O_CLOEXEC);
}

static void io_uring(const char *id)
{
	struct io_uring_params parameters = { 0 };
	ASKED(id, io_uring_setup, 1, &parameters);
}

/* No segments: a successful call loads nothing. */
static void new_kernel(const char *id)
{
	ASKED(id, kexec_load, 0, 0, NULL, 0);
}

static void modules(const char *id)
{
	ASKED(id, init_module, "", 0, "");
	ASKED(id, finit_module, -1, "", 0);
	ASKED(id, delete_module, "idlemesh_probe", O_NONBLOCK);
}

/* What a key combination does, which every login manager sets like this: nothing is restarted. */
static void restart(const char *id)
{
	ASKED(id, reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, NULL);
}

static void swap(const char *id)
{
	asked(id, swapon("/nowhere", 0), "add swap space");
	asked(id, swapoff("/nowhere"), "take swap space away");
}

/* To what it is. */
static void set_clock(const char *id)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	did(id, clock_settime(CLOCK_REALTIME, &now), "set the clock");
	struct timeval same = { .tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000 };
	did(id, settimeofday(&same, NULL), "set the time of day");
}

static void set_name(const char *id)
{
	char name[128] = "";
	gethostname(name, sizeof name - 1);
	did(id, sethostname(name, strlen(name)), "set the host name");
}

static void set_personality(const char *id)
{
	did(id, personality(ADDR_NO_RANDOMIZE), "switch off address randomisation");
}

static void watch_files(const char *id)
{
	ASKED(id, fanotify_init, FAN_CLASS_CONTENT, O_RDONLY);
	ASKED(id, acct, "/nowhere");
}

static void own_filter(const char *id)
{
	/* Asks which actions there are, with room for none. */
	ASKED(id, seccomp, 1000, 0, NULL);
}

static void move_pages(const char *id)
{
	ASKED(id, move_pages, 0, 0, NULL, NULL, NULL, 0);
	ASKED(id, mbind, NULL, 0, 0, NULL, 0, 0);
	ASKED(id, kcmp, getpid(), getppid(), 0, 0, 0);
}

const struct probe kernel_probes[] = {
	{ "keys", keys },
	{ "bpf", bpf },
	{ "perf", perf },
	{ "userfaultfd", fault_handling },
	{ "io-uring", io_uring },
	{ "kexec", new_kernel },
	{ "modules", modules },
	{ "reboot", restart },
	{ "swap", swap },
	{ "clock", set_clock },
	{ "set-name", set_name },
	{ "personality", set_personality },
	{ "watch-files", watch_files },
	{ "seccomp", own_filter },
	{ "move-pages", move_pages },
	{ NULL, NULL },
};
