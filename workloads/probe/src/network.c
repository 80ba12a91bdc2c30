#define _GNU_SOURCE
#include "probe.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Milliseconds. */
#define CONNECT_MS 1500

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

static socklen_t parse(const char *host, long port, union address *address)
{
	memset(address, 0, sizeof *address);
	if (inet_pton(AF_INET, host, &address->four.sin_addr) == 1) {
		address->any.sa_family = AF_INET;
		address->four.sin_port = htons((unsigned short)port);
		return sizeof address->four;
	}
	if (inet_pton(AF_INET6, host, &address->six.sin6_addr) == 1) {
		address->any.sa_family = AF_INET6;
		address->six.sin6_port = htons((unsigned short)port);
		return sizeof address->six;
	}
	return 0;
}

/* A refusal by the other side is an answer from outside: the attempt got there. */
static int connected(int file, const struct sockaddr *address, socklen_t length)
{
	int error = 0;
	socklen_t size = sizeof error;
	struct pollfd ready = { .fd = file, .events = POLLOUT };
	if (connect(file, address, length) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (poll(&ready, 1, CONNECT_MS) <= 0)
		return ETIMEDOUT;
	if (getsockopt(file, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		return errno;
	return error;
}

/* Counts the network interfaces that are up, the loopback aside; negative when nobody knows. Some kernels put idle tunnels
 * into every namespace: only what is up leads anywhere. */
static int interfaces_up(char *name, size_t size)
{
	DIR *folder = opendir("/sys/class/net");
	int found = 0;
	if (folder == NULL)
		return -1;
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		char path[300], flags[32];
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lo") == 0)
			continue;
		snprintf(path, sizeof path, "/sys/class/net/%s/flags", entry->d_name);
		if (!read_file(path, flags, sizeof flags) || !(strtol(flags, NULL, 16) & IFF_UP))
			continue;
		snprintf(name, size, "%s", entry->d_name);
		found++;
	}
	closedir(folder);
	return found;
}

static enum outcome outcome_of(int error)
{
	switch (error) {
	case 0:
	/* Said by who is there. */
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
		return ESCAPED;
	/* There was a way, and nobody at its end: it says nothing about a machine that is there. */
	case EHOSTUNREACH:
	case ETIMEDOUT: {
		char name[256];
		return interfaces_up(name, sizeof name) == 0 ? BLOCKED : UNAVAILABLE;
	}
	default:
		return BLOCKED;
	}
}

static void tcp(const char *id, const char *host, long port)
{
	union address address;
	socklen_t length = parse(host, port, &address);
	if (length == 0)
		return;
	int file = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (file < 0) {
		did(id, -1, "connect to %s port %ld (TCP)", host, port);
		return;
	}
	int error = connected(file, &address.any, length);
	const char *token = value_of("token");
	if (error == 0 && write(file, token, strlen(token)) < 0)
		error = errno;
	close(file);
	const char *name = error == 0 ? "connected" : strerrorname_np(error);
	report(id, outcome_of(error), name, "connect to %s port %ld (TCP)", host, port);
}

static void udp(const char *id, const char *host, long port, const void *data, size_t bytes, const char *what)
{
	union address address;
	int on = 1;
	socklen_t length = parse(host, port, &address);
	if (length == 0)
		return;
	int file = socket(address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	long result = file;
	if (file >= 0) {
		setsockopt(file, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
		result = sendto(file, data, bytes, MSG_DONTWAIT, &address.any, length);
	}
	did(id, result, "%s to %s port %ld (UDP)", what, host, port);
}

/* Said where the agent knows nothing to aim at. */
static void none(const char *id)
{
	report(id, UNAVAILABLE, "the machine has none", "find something to connect to");
}

static void tcp_each(const char *id, const char *word, const long *ports)
{
	size_t from = 0;
	if (value_of(word)[0] == 0)
		none(id);
	for (const struct target *target; (target = next_target(word, &from)) != NULL;) {
		if (ports == NULL)
			tcp(id, target->value, target->number);
		else
			for (const long *port = ports; *port != 0; port++)
				tcp(id, target->value, *port);
	}
}

static void gateway(const char *id)
{
	tcp_each(id, "gateway", (const long[]){ 80, 53, 0 });
}

static void lan(const char *id)
{
	tcp_each(id, "lan", (const long[]){ 22, 445, 0 });
}

/* The agent listens there while this runs: it would see us. */
static void host_service(const char *id)
{
	tcp_each(id, "host", NULL);
}

static void bridge(const char *id)
{
	long port = number_of("bait");
	tcp(id, "172.17.0.1", port);
	tcp(id, "172.17.0.1", 2375);
}

static void neighbours(const char *id)
{
	tcp_each(id, "neighbour", (const long[]){ 80, 0 });
}

static void internet(const char *id)
{
	tcp(id, "1.1.1.1", 443);
	tcp(id, "8.8.8.8", 53);
}

static void metadata(const char *id)
{
	tcp(id, "169.254.169.254", 80);
	tcp(id, "100.100.100.200", 80);
}

static void ipv6(const char *id)
{
	tcp(id, "2606:4700:4700::1111", 443);
	udp(id, "ff02::1", 5353, "x", 1, "send");
}

/* A question for the address of example.com. */
static const char QUESTION[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07" "example\x03" "com\x00\x00\x01\x00\x01";

static void dns_internet(const char *id)
{
	udp(id, "1.1.1.1", 53, QUESTION, sizeof QUESTION - 1, "DNS question");
}

static void dns_lan(const char *id)
{
	size_t from = 0;
	if (value_of("resolver")[0] == 0)
		none(id);
	for (const struct target *target; (target = next_target("resolver", &from)) != NULL;)
		udp(id, target->value, 53, QUESTION, sizeof QUESTION - 1, "DNS question");
}

static void broadcast(const char *id)
{
	size_t from = 0;
	udp(id, "255.255.255.255", 9, "x", 1, "broadcast");
	for (const struct target *target; (target = next_target("broadcast", &from)) != NULL;)
		udp(id, target->value, 9, "x", 1, "broadcast");
}

static void discovery(const char *id)
{
	udp(id, "224.0.0.251", 5353, QUESTION, sizeof QUESTION - 1, "mDNS question");
	udp(id, "239.255.255.250", 1900, "M-SEARCH * HTTP/1.1\r\n\r\n", 23, "UPnP search");
}

static void host_name(const char *id)
{
	static const char *const NAMES[] = { "host.docker.internal", "gateway.docker.internal", NULL };
	for (const char *const *name = NAMES; *name != NULL; name++) {
		struct addrinfo *found = NULL;
		int error = getaddrinfo(*name, NULL, NULL, &found);
		if (found != NULL)
			freeaddrinfo(found);
		report(id, error == 0 ? ESCAPED : BLOCKED, error == 0 ? "found" : gai_strerror(error), "look up %s", *name);
	}
}

static void unix_path(const char *id, const char *path, bool abstract)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strnlen(path, sizeof address.sun_path - 2);
	memcpy(address.sun_path + (abstract ? 1 : 0), path, length);
	int file = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	long result = file;
	if (file >= 0) {
		socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
		result = connect(file, (struct sockaddr *)&address, size);
		const char *token = value_of("token");
		if (result == 0 && abstract && write(file, token, strlen(token)) < 0)
			result = -1;
	}
	did(id, result, "connect to the socket %s", path);
}

static void host_socket(const char *id)
{
	size_t from = 0;
	if (value_of("socket")[0] == 0)
		none(id);
	for (const struct target *target; (target = next_target("socket", &from)) != NULL;)
		unix_path(id, target->value, true);
}

static void engine_socket(const char *id)
{
	size_t from = 0;
	if (value_of(id)[0] == 0)
		none(id);
	for (const struct target *target; (target = next_target(id, &from)) != NULL;) {
		struct stat seen;
		did(id, stat(target->value, &seen), "look at %s", target->value);
		unix_path(id, target->value, false);
	}
}

static void interfaces(const char *id)
{
	char name[256] = "";
	int found = interfaces_up(name, sizeof name);
	if (found < 0)
		did(id, -1, "list the network interfaces");
	else
		report(id, found > 0 ? ESCAPED : BLOCKED, found > 0 ? name : "none", "find a network interface");
}

static void raw_socket(const char *id)
{
	did(id, socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), "open a raw socket (ping)");
	did(id, socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), "open a raw socket (ping, IPv6)");
}

static void packet_socket(const char *id)
{
	did(id, socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), "listen to all packets");
}

static void vsock(const char *id)
{
	struct sockaddr_vm host = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = 22 };
	int file = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (file < 0 && errno == EAFNOSUPPORT) {
		report(id, UNAVAILABLE, "EAFNOSUPPORT", "connect to the virtual machine's host (vsock)");
		return;
	}
	int error = file < 0 ? errno : connected(file, (struct sockaddr *)&host, sizeof host);
	report(id, outcome_of(error), error == 0 ? "connected" : strerrorname_np(error),
	       "connect to the virtual machine's host (vsock)");
}

/* A route to an address kept for documentation (RFC 5737), through the loopback; taken away again. */
static void route(const char *id)
{
	struct {
		struct nlmsghdr head;
		struct rtmsg route;
		char attributes[64];
	} request = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
			  .nlmsg_type = RTM_NEWROUTE,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK },
		.route = { .rtm_family = AF_INET,
			   .rtm_dst_len = 32,
			   .rtm_table = RT_TABLE_MAIN,
			   .rtm_protocol = RTPROT_STATIC,
			   .rtm_scope = RT_SCOPE_LINK,
			   .rtm_type = RTN_UNICAST },
	};
	struct in_addr to = { .s_addr = htonl(0xcb007107) };
	unsigned int loopback = 1;
	struct rtattr *attribute = (struct rtattr *)request.attributes;
	attribute->rta_type = RTA_DST;
	attribute->rta_len = RTA_LENGTH(sizeof to);
	memcpy(RTA_DATA(attribute), &to, sizeof to);
	attribute = (struct rtattr *)(request.attributes + RTA_SPACE(sizeof to));
	attribute->rta_type = RTA_OIF;
	attribute->rta_len = RTA_LENGTH(sizeof loopback);
	memcpy(RTA_DATA(attribute), &loopback, sizeof loopback);
	request.head.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)) + RTA_SPACE(sizeof to) + RTA_SPACE(sizeof loopback);

	int file = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	char answer[4096];
	long result = file;
	if (file >= 0)
		result = send(file, &request, request.head.nlmsg_len, 0);
	if (result >= 0)
		result = recv(file, answer, sizeof answer, 0);
	if (result >= 0) {
		const struct nlmsgerr *told = NLMSG_DATA((struct nlmsghdr *)answer);
		errno = -told->error;
		result = told->error;
		if (result == 0) {
			request.head.nlmsg_type = RTM_DELROUTE;
			request.head.nlmsg_flags = NLM_F_REQUEST;
			send(file, &request, request.head.nlmsg_len, 0);
		}
	}
	did(id, result, "add a network route");
}

static void low_port(const char *id)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(7) };
	int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	long result = file < 0 ? -1 : bind(file, (struct sockaddr *)&address, sizeof address);
	did(id, result, "listen at port 7");
}

const struct probe network_probes[] = {
	{ "interfaces", interfaces },
	{ "gateway", gateway },
	{ "lan", lan },
	{ "host-service", host_service },
	{ "host-socket", host_socket },
	{ "bridge", bridge },
	{ "neighbours", neighbours },
	{ "internet", internet },
	{ "metadata", metadata },
	{ "ipv6", ipv6 },
	{ "dns-internet", dns_internet },
	{ "dns-lan", dns_lan },
	{ "broadcast", broadcast },
	{ "discovery", discovery },
	{ "host-name", host_name },
	{ "engine-socket", engine_socket },
	{ "raw-socket", raw_socket },
	{ "packet-socket", packet_socket },
	{ "vsock", vsock },
	{ "route", route },
	{ "low-port", low_port },
	{ NULL, NULL },
};
