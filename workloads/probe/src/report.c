#define _GNU_SOURCE
#include "probe.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const OUTCOMES[] = { "blocked", "escaped", "unavailable" };

/* Appends text as the inside of a JSON string; what is not printable ASCII becomes a question mark. */
static size_t quote(char *line, size_t at, size_t size, const char *text)
{
	for (; *text != 0 && at + 3 < size; text++) {
		if (*text == '"' || *text == '\\')
			line[at++] = '\\';
		line[at++] = *text >= ' ' && *text <= '~' ? *text : '?';
	}
	line[at] = 0;
	return at;
}

static void say(const char *id, enum outcome outcome, const char *detail, const char *tried, va_list args)
{
	char what[192];
	char line[768];
	vsnprintf(what, sizeof what, tried, args);
	size_t at = (size_t)snprintf(line, sizeof line, "{\"probe\":\"%s\",\"outcome\":\"%s\",\"tried\":\"", id,
				     OUTCOMES[outcome]);
	at = quote(line, at, 420, what);
	at += (size_t)snprintf(line + at, sizeof line - at, "\",\"detail\":\"");
	at = quote(line, at, sizeof line - 8, detail);
	at += (size_t)snprintf(line + at, sizeof line - at, "\"}\n");
	/* One write: several processes share the stream. */
	if (write(STDERR_FILENO, line, at) < 0)
		_exit(1);
}

void report(const char *id, enum outcome outcome, const char *detail, const char *tried, ...)
{
	va_list args;
	va_start(args, tried);
	say(id, outcome, detail, tried, args);
	va_end(args);
}

static const char *error_name(int error)
{
	const char *name = strerrorname_np(error);
	return name == NULL ? "unknown" : name;
}

void did(const char *id, long result, const char *tried, ...)
{
	int error = errno;
	va_list args;
	va_start(args, tried);
	say(id, result >= 0 ? ESCAPED : BLOCKED, result >= 0 ? "done" : error_name(error), tried, args);
	va_end(args);
}

void opened(const char *id, long result, const char *tried, ...)
{
	int error = errno;
	va_list args;
	va_start(args, tried);
	say(id, result >= 0 ? ESCAPED : error == ENOENT ? UNAVAILABLE : BLOCKED, result >= 0 ? "done" : error_name(error), tried,
	    args);
	va_end(args);
}

void asked(const char *id, long result, const char *tried, ...)
{
	int error = errno;
	enum outcome outcome = ESCAPED;
	va_list args;
	if (result < 0 && (error == EPERM || error == EACCES || error == EROFS))
		outcome = BLOCKED;
	/* Refused by our filter it is EPERM: a kernel without the call answers this. */
	if (result < 0 && (error == ENOSYS || error == EOPNOTSUPP))
		outcome = UNAVAILABLE;
	va_start(args, tried);
	say(id, outcome, result >= 0 ? "done" : error_name(error), tried, args);
	va_end(args);
}

bool read_file(const char *path, char *into, size_t size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	if (file < 0)
		return false;
	while (have + 1 < size) {
		ssize_t got = read(file, into + have, size - 1 - have);
		if (got <= 0)
			break;
		have += (size_t)got;
	}
	into[have] = 0;
	close(file);
	return true;
}

double seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
