# feldera_ingest: build, install and test.
#
#   make              the extension (PGXS)
#   make install      into the server that pg_config names
#   make tools        test/tools: plain C programs, no server
#   make unit         unit programs of the plain C rooms (one room: make unit ROOM=parquet)
#   make demo         installs what is missing, builds, runs the main job, shows what it did
#   make check        installs what is missing, builds, runs every test
#   make bench        the numbers, as ratios to a peer in the same run
#   make FUZZ=1 fuzz  libFuzzer programs of the plain C rooms (clang)
#   make lint         clang-format over src/ and test/
#   make SANITIZE=1 unit      the same under AddressSanitizer and UBSan

EXTENSION = feldera_ingest
EXTVERSION = 0.1.0
MODULE_big = $(EXTENSION)
DATA = $(sort $(wildcard sql/$(EXTENSION)--*.sql))

ROOMS = common batch storage parquet delta format source apply catalog control
PLAIN_ROOMS = common batch storage parquet delta format source
SOURCES = $(wildcard src/*.c $(ROOMS:%=src/%/*.c))
ROOM_HEADERS = $(wildcard src/*.h $(ROOMS:%=src/%/*.h))
OBJS = $(SOURCES:.c=.o)

LIBRARIES = -lrdkafka -lcurl -lcrypto -lzstd -lsnappy -llz4 -lbrotlidec -lz -lpthread -lm
WARNINGS = -Wall -Wextra -Werror -Wno-declaration-after-statement -Wpointer-arith -Wmissing-prototypes -Wvla

# The server's own flags are those of the compiler that built it, gcc; clang does not know all of them.
ifneq ($(findstring clang,$(CC)),)
WARNINGS += -Wno-unknown-warning-option -Wno-ignored-optimization-argument
endif

PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server)
PG_CFLAGS = $(WARNINGS) -MMD -MP
SHLIB_LINK = $(LIBRARIES) -Wl,--version-script=src/exports.map

# No bitcode: the functions are not worth inlining into queries, and clang is not a build dependency.
override with_llvm = no

REGRESS = $(basename $(notdir $(sort $(wildcard expected/*.out))))
REGRESS_OPTS = --inputdir=. --outputdir=build/regress

EXTRA_CLEAN = build $(OBJS:.o=.d)

PG_CONFIG = pg_config

# The goals that must work on a machine without a server's headers come before PGXS.
BOOTSTRAP_GOALS = demo check bench
ifneq ($(filter $(BOOTSTRAP_GOALS),$(MAKECMDGOALS)),)

.PHONY: $(BOOTSTRAP_GOALS)
demo check bench:
	test/$@.sh

else

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

-include $(OBJS:.o=.d)

# ---- plain C: a static library for tools, unit programs, fuzzers -------------------

ifdef FUZZ
VARIANT = fuzz
VARIANT_FLAGS = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
override CC = clang
else ifdef SANITIZE
VARIANT = sanitize
VARIANT_FLAGS = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else
VARIANT = plain
VARIANT_FLAGS = -O2 -g -fno-omit-frame-pointer
endif
BUILD = build/$(VARIANT)
PLAIN_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(VARIANT_FLAGS) -fno-strict-aliasing -fwrapv -Isrc -Itest -I/usr/include/postgresql
PLAIN_SOURCES = $(wildcard $(PLAIN_ROOMS:%=src/%/*.c))
PLAIN_OBJECTS = $(PLAIN_SOURCES:src/%.c=$(BUILD)/%.o)
PLAIN_LIBRARY = $(BUILD)/libingest.a
UNIT_SOURCES = $(wildcard test/unit/test_$(if $(ROOM),$(ROOM),*)*.c)
UNIT_PROGRAMS = $(UNIT_SOURCES:test/unit/%.c=$(BUILD)/unit/%)
TOOLS = $(patsubst test/tools/%.c,$(BUILD)/tools/%,$(wildcard test/tools/*.c))

.PHONY: plain tools unit unit-programs fuzz lint

-include $(wildcard $(BUILD)/unit/*.d $(BUILD)/tools/*.d)

plain: $(PLAIN_LIBRARY)

-include $(PLAIN_OBJECTS:.o=.d)

$(BUILD)/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(PLAIN_CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c -o $@ $<

$(PLAIN_LIBRARY): $(PLAIN_OBJECTS)
	ar rcs $@.new $^ && mv $@.new $@

# The programs are linked where people look for them; "make tools SANITIZE=1" leaves them in build/.
tools: $(TOOLS)

$(BUILD)/tools/%: test/tools/%.c $(PLAIN_LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(PLAIN_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(PLAIN_LIBRARY) $(LIBRARIES)
	$(if $(SANITIZE),,cp $@ test/tools/$*)

$(BUILD)/unit/%: test/unit/%.c test/unit/tap.h $(PLAIN_LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(PLAIN_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(PLAIN_LIBRARY) $(LIBRARIES)

unit: $(UNIT_PROGRAMS)
	prove --exec '' $(UNIT_PROGRAMS)

unit-programs: $(UNIT_PROGRAMS)

# "make FUZZ=1 fuzz" builds the fuzzers into build/fuzz/fuzz; run one as "build/fuzz/fuzz/fuzz_format CORPUS".
fuzz: $(patsubst test/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard test/fuzz/*.c))

$(BUILD)/fuzz/%: test/fuzz/%.c $(PLAIN_LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(PLAIN_CFLAGS) -fsanitize=fuzzer -o $@ $< $(PLAIN_LIBRARY) $(LIBRARIES)

lint:
	clang-format --dry-run --Werror $(SOURCES) $(ROOM_HEADERS) $(wildcard test/unit/*.[ch] test/tools/*.c test/fuzz/*.c)

endif
