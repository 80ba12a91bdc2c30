// Exact matrix products on a GPU, through OpenCL. The door is that of workloads/README.md: this process reads it from beginning to
// end and answers for the whole job; a child does the work, so that it can be stopped from outside whatever its driver does.
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <poll.h>
#include <unistd.h>

#include "sha256.h"

#define KERNELS "/usr/local/lib/idlemesh/product.cl"
#define MAX_INPUT 4096
#define MAX_SIZE 4096
#define MAX_ROUNDS 64
/** Rows that one command multiplies: a GPU that draws a screen too must not be taken for long, and a freeze waits for it. */
#define BAND 64
#define TILE 8

static void fail(const char *format, ...) {
  char text[512];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  // Drivers' words may hold what would break the line.
  for (char *at = text; *at; at++)
    if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ') *at = ' ';
  dprintf(2, "{\"error\":\"%s\"}\n", text);
  exit(1);
}

static void check(cl_int status, const char *what) {
  if (status != CL_SUCCESS) fail("%s failed with OpenCL error %d", what, status);
}

static void *room(size_t bytes) {
  void *made = malloc(bytes ? bytes : 1);
  if (made == NULL) fail("no memory for %zu bytes", bytes);
  return made;
}

static void put(const unsigned char *from, size_t bytes) {
  while (bytes > 0) {
    ssize_t done = write(1, from, bytes);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) exit(1);
    from += done;
    bytes -= (size_t)done;
  }
}

/** The GPU; the processor only where the launch allows it, never because a GPU does not answer. */
static cl_device_id device(void) {
  const char *wanted = getenv("IDLEMESH_COMPUTE");
  cl_device_type type = wanted != NULL && strcmp(wanted, "cpu") == 0 ? CL_DEVICE_TYPE_CPU : CL_DEVICE_TYPE_GPU;
  cl_platform_id platforms[16];
  cl_uint count = 0;
  if (clGetPlatformIDs(16, platforms, &count) != CL_SUCCESS) count = 0;
  for (cl_uint i = 0; i < count && i < 16; i++) {
    cl_device_id found;
    if (clGetDeviceIDs(platforms[i], type, 1, &found, NULL) == CL_SUCCESS) return found;
  }
  fail("no OpenCL device: %u platforms, none with a %s", count, type == CL_DEVICE_TYPE_CPU ? "processor" : "GPU");
  return NULL;
}

static char *source(void) {
  FILE *file = fopen(KERNELS, "r");
  if (file == NULL) fail("%s is missing", KERNELS);
  char *text = room(65536);
  text[fread(text, 1, 65535, file)] = 0;
  fclose(file);
  return text;
}

static cl_ulong little(const unsigned char *at) {
  cl_ulong value = 0;
  for (int i = 7; i >= 0; i--) value = value << 8 | at[i];
  return value;
}

/** What the elements of one matrix are counted from: SHA-256 of the seed, the round and which of the two it is. */
static cl_ulong keyOf(const unsigned char seed[32], uint32_t round, uint32_t which) {
  unsigned char text[40], digest[32];
  memcpy(text, seed, 32);
  for (int i = 0; i < 4; i++) {
    text[32 + i] = (unsigned char)(round >> (8 * i));
    text[36 + i] = (unsigned char)(which >> (8 * i));
  }
  sha256(text, sizeof text, digest);
  return little(digest);
}

static void work(const unsigned char *input, size_t inputBytes, size_t size, size_t rounds) {
  unsigned char seed[32];
  sha256(input, inputBytes, seed);
  cl_device_id gpu = device();
  char name[128] = "", driver[128] = "";
  clGetDeviceInfo(gpu, CL_DEVICE_NAME, sizeof name - 1, name, NULL);
  clGetDeviceInfo(gpu, CL_DRIVER_VERSION, sizeof driver - 1, driver, NULL);

  cl_int status;
  cl_context context = clCreateContext(NULL, 1, &gpu, NULL, NULL, &status);
  check(status, "clCreateContext");
  cl_command_queue queue = clCreateCommandQueue(context, gpu, 0, &status);
  check(status, "clCreateCommandQueue");
  const char *text = source();
  cl_program program = clCreateProgramWithSource(context, 1, &text, NULL, &status);
  check(status, "clCreateProgramWithSource");
  char options[32], said[256] = "";
  snprintf(options, sizeof options, "-DN=%zu", size);
  status = clBuildProgram(program, 1, &gpu, options, NULL, NULL);
  if (status != CL_SUCCESS) {
    clGetProgramBuildInfo(program, gpu, CL_PROGRAM_BUILD_LOG, sizeof said - 1, said, NULL);
    fail("the kernel was not built on %s (%s): OpenCL error %d: %s", name, driver, status, said);
  }
  cl_kernel fill = clCreateKernel(program, "fill", &status);
  check(status, "clCreateKernel");
  cl_kernel multiply = clCreateKernel(program, "multiply", &status);
  check(status, "clCreateKernel");

  size_t bytes = size * size * sizeof(cl_uint);
  cl_mem matrix[3];
  for (int i = 0; i < 3; i++) {
    matrix[i] = clCreateBuffer(context, CL_MEM_READ_WRITE, bytes, NULL, &status);
    check(status, "clCreateBuffer");
  }
  uint32_t *rows = room(bytes);
  unsigned char *line = room(4 * size), *result = room(32 * size * rounds);
  size_t all = size * size, wide = (size + TILE - 1) / TILE * TILE, tile[2] = {TILE, TILE};
  int shown = -1;
  for (size_t round = 0; round < rounds; round++) {
    for (uint32_t which = 0; which < 2; which++) {
      cl_ulong key = keyOf(seed, (uint32_t)round, which);
      check(clSetKernelArg(fill, 0, sizeof matrix[which], &matrix[which]), "clSetKernelArg");
      check(clSetKernelArg(fill, 1, sizeof key, &key), "clSetKernelArg");
      check(clEnqueueNDRangeKernel(queue, fill, 1, NULL, &all, NULL, 0, NULL, NULL), "fill");
    }
    for (cl_uint i = 0; i < 3; i++) check(clSetKernelArg(multiply, i, sizeof matrix[i], &matrix[i]), "clSetKernelArg");
    for (size_t at = 0; at < size; at += BAND) {
      cl_uint first = (cl_uint)at;
      size_t range[2] = {wide, BAND};
      check(clSetKernelArg(multiply, 3, sizeof first, &first), "clSetKernelArg");
      check(clEnqueueNDRangeKernel(queue, multiply, 2, NULL, range, tile, 0, NULL, NULL), "multiply");
      check(clFinish(queue), "clFinish");
      int hundredths = (int)(100 * (round * size + at) / (rounds * size));
      if (hundredths > shown) dprintf(2, "{\"progress\":0.%02d}\n", shown = hundredths);
    }
    check(clEnqueueReadBuffer(queue, matrix[2], CL_TRUE, 0, bytes, rows, 0, NULL, NULL), "clEnqueueReadBuffer");
    for (size_t row = 0; row < size; row++) {
      for (size_t column = 0; column < size; column++)
        for (int i = 0; i < 4; i++) line[4 * column + i] = (unsigned char)(rows[row * size + column] >> (8 * i));
      sha256(line, 4 * size, result + 32 * (round * size + row));
    }
  }
  put(result, 32 * size * rounds);
  dprintf(2, "{\"progress\":1}\n{\"done\":true}\n");
  // What the driver would still tidy up is nobody's any more.
  _exit(0);
}

static int readAll(unsigned char *into, size_t bytes) {
  while (bytes > 0) {
    ssize_t got = read(0, into, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    into += got;
    bytes -= (size_t)got;
  }
  return 1;
}

/** The number after `"name":`, with or without quotes; 0 where there is none. */
static size_t figure(const char *header, const char *name) {
  char wanted[32];
  snprintf(wanted, sizeof wanted, "\"%s\":", name);
  const char *at = strstr(header, wanted);
  if (at == NULL) return 0;
  at += strlen(wanted);
  if (*at == '"') at++;
  return *at >= '0' && *at <= '9' ? strtoul(at, NULL, 10) : 0;
}

int main(void) {
  char header[4096];
  size_t length = 0;
  do {
    if (length == sizeof header - 1) fail("the header is too long");
    if (!readAll((unsigned char *)header + length, 1)) return 1;
  } while (header[length++] != '\n');
  header[length] = 0;
  size_t size = figure(header, "size"), rounds = figure(header, "rounds"), inputBytes = figure(header, "inputBytes");
  if (size < 1 || size > MAX_SIZE || rounds < 1 || rounds > MAX_ROUNDS) fail("size or rounds out of range");
  if (inputBytes > MAX_INPUT) fail("the seed has more than %d bytes", MAX_INPUT);
  unsigned char input[MAX_INPUT];
  if (!readAll(input, inputBytes)) return 1;

  // Tells of the child's end: nothing is ever written into it.
  int life[2];
  if (pipe(life) != 0) fail("no pipe");
  pid_t child = fork();
  if (child < 0) fail("no process");
  if (child == 0) {
    close(life[0]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(0);
    work(input, inputBytes, size, rounds);
  }
  close(life[1]);

  char line[64];
  size_t used = 0;
  for (;;) {
    struct pollfd watched[2] = {{.fd = 0, .events = POLLIN}, {.fd = life[0], .events = POLLIN}};
    if (poll(watched, 2, -1) < 0 && errno != EINTR) break;
    if (watched[1].revents) {
      int status;
      if (waitpid(child, &status, 0) < 0) return 1;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (!watched[0].revents) continue;
    char next;
    ssize_t got = read(0, &next, 1);
    if (got < 0 && errno == EINTR) continue;
    // End of input: the agent is gone, and so is its work.
    if (got <= 0) break;
    if (next != '\n') {
      if (used < sizeof line) line[used++] = next;
      continue;
    }
    if (used == 6 && memcmp(line, "freeze", 6) == 0) kill(child, SIGSTOP);
    else if (used == 4 && memcmp(line, "thaw", 4) == 0) kill(child, SIGCONT);
    else if (used == 4 && memcmp(line, "stop", 4) == 0) break;
    used = 0;
  }
  kill(child, SIGKILL);
  return 143;
}
