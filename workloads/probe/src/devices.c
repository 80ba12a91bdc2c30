#define _GNU_SOURCE
#include "probe.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <sys/io.h>
#endif

/* Those that the machine has, as the agent knows. Opened for reading: enough to see that it is there, and it changes nothing. */
static void device_files(const char *id)
{
	size_t from = 0;
	bool any = false;
	for (const struct target *target; (target = next_target(id, &from)) != NULL; any = true)
		did(id, open(target->value, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), "open %s", target->value);
	if (!any)
		report(id, UNAVAILABLE, "the machine has none", "open a device");
}

static void terminals(const char *id)
{
	char byte = '\n';
	device_files(id);
	/* Typing into whoever's terminal we were started from. */
	did(id, ioctl(STDIN_FILENO, TIOCSTI, &byte), "type into the terminal");
}

static void make_device(const char *id)
{
	did(id, mknod("/tmp/disk", S_IFBLK | 0600, makedev(8, 0)), "make a device file for the first disk");
	did(id, mknod("/tmp/memory", S_IFCHR | 0600, makedev(1, 1)), "make a device file for the memory");
	unlink("/tmp/disk");
	unlink("/tmp/memory");
}

static void kernel_log(const char *id)
{
	char some[256];
	did(id, klogctl(3, some, sizeof some), "read the kernel's log");
	did(id, open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), "open /dev/kmsg");
}

static void ports(const char *id)
{
#if defined(__x86_64__)
	asked(id, ioperm(0x80, 1, 1), "reach the hardware's ports (ioperm)");
	asked(id, iopl(3), "reach the hardware's ports (iopl)");
#else
	report(id, UNAVAILABLE, "not on this processor", "reach the hardware's ports");
#endif
}

const struct probe device_probes[] = {
	{ "device-memory", device_files },
	{ "device-disks", device_files },
	{ "device-input", device_files },
	{ "device-terminals", terminals },
	{ "device-graphics", device_files },
	{ "device-machines", device_files },
	{ "make-device", make_device },
	{ "kernel-log", kernel_log },
	{ "hardware-ports", ports },
	{ NULL, NULL },
};
