/*
 * The probe tries to break out of the sandbox and tells what happened, a JSON object a line on standard error.
 *
 * Every attempt is real, and none does damage where it succeeds: it changes a thing to what it is already, or asks for
 * something that does not exist and sees whether it was the permission that failed. So it can be run without a sandbox too,
 * to see that each attempt can succeed.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* One attempt, in a process of its own: what it breaks is gone with it. */
struct probe {
	const char *id;
	void (*run)(const char *id);
};

/* Ends with an entry without an id. */
extern const struct probe network_probes[];
extern const struct probe file_probes[];
extern const struct probe device_probes[];
extern const struct probe privilege_probes[];
extern const struct probe kernel_probes[];
extern const struct probe limit_probes[];
/* What may end the whole container: each has one of its own. */
extern const struct probe ending_probes[];

/* The process that the container was started with, or the one that its init started. */
extern int first_process;

/* A line of the input: what to aim at. `word` names its kind; unused fields are empty or 0. */
struct target {
	char word[24];
	char value[160];
	long number;
};

/* The next target of a kind; null after the last. `from`: 0 at first, then kept by the caller. */
const struct target *next_target(const char *word, size_t *from);
const char *value_of(const char *word);
long number_of(const char *word);

enum outcome { BLOCKED, ESCAPED, UNAVAILABLE };

void report(const char *id, enum outcome outcome, const char *detail, const char *tried, ...)
	__attribute__((format(printf, 4, 5)));

/* Reports a call that has done its harm when it succeeds: any error stopped it. Needs `errno` as the call left it. */
void did(const char *id, long result, const char *tried, ...) __attribute__((format(printf, 3, 4)));

/* The same for a file that only some kernels have: what is missing inside is missing outside. */
void opened(const char *id, long result, const char *tried, ...) __attribute__((format(printf, 3, 4)));

/*
 * Reports a call with arguments that cannot work: only a refusal stopped it, and any other error says that it was allowed.
 * Needs `errno` as the call left it.
 */
void asked(const char *id, long result, const char *tried, ...) __attribute__((format(printf, 3, 4)));

/* For calls that the C library has no function for; `tried` is the call's name. */
#define ASKED(id, call, ...) asked(id, syscall(SYS_##call, ##__VA_ARGS__), #call)
#define DID(id, call, ...) did(id, syscall(SYS_##call, ##__VA_ARGS__), #call)

/* Whole content, cut at `size` - 1 and ended by a zero; false when it cannot be read. */
bool read_file(const char *path, char *into, size_t size);

double seconds_now(void);

#endif
