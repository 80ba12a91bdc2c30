/* Installed twice: as root's with the set-user-id bit, and with capabilities of its own. Exits 42 where that gave it something. */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };
	if (syscall(SYS_capget, &header, data) != 0)
		return 1;
	return geteuid() == 0 || data[0].effective != 0 || data[1].effective != 0 ? 42 : 0;
}
