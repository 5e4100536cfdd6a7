/* store/schema.h: JSON Schema in its compiled form.
 *
 * A schema is compiled once, from JSON Schema text or from a C table of fields, to nodes in an
 * arena; a check walks nodes and JSON tokens side by side. A node holds what applies to a value of
 * each type in a part of its own, so that a check looks only at what can apply.
 *
 * Compiled schemas are read-only: any number of threads may check with them.
 */
#ifndef SDB_STORE_SCHEMA_H
#define SDB_STORE_SCHEMA_H

#include "base/arena.h"
#include "store/store.h"

/* ---- limits of a definition and of a check; docs/schema.md tells them to users ---- */

#define SDB_SCHEMA_SIZE_MAX ((size_t)1 << 20)   /* bytes of a schema's or of all rules' text */
#define SDB_SCHEMA_TOKENS_MAX ((size_t)1 << 18) /* values in it */
#define SDB_SCHEMA_MEMORY_MAX ((size_t)1 << 26) /* bytes of a store's compiled form */
#define SDB_SCHEMA_CHAIN_MAX 64        /* $ref, allOf, anyOf, oneOf, not within one another */
#define SDB_SCHEMA_PROPERTIES_MAX 4096 /* of one object schema */
#define SDB_CHECK_DEPTH_MAX 256        /* nodes that a check may be inside of at once */
#define SDB_CHECK_STEPS_BASE 65536     /* steps a check may take, and how many more a value */
#define SDB_CHECK_STEPS_PER_VALUE 128
#define SDB_CHECK_PATTERN_STEPS_BASE 100000 /* the same of all patterns together, and a byte */
#define SDB_CHECK_PATTERN_STEPS_PER_BYTE 16

_Static_assert(SDB_CHECK_DEPTH_MAX >= 3 * SDB_JSON_DEPTH_MAX,
    "a recursive union spends three nodes a level and must reach the deepest object");

/* ---- the compiled form ---- */

enum {
  SDB_SCHEMA_NULL = 1,
  SDB_SCHEMA_BOOLEAN = 2,
  SDB_SCHEMA_INTEGER = 4, /* a whole number that fits 64 bits, signed or not */
  SDB_SCHEMA_NUMBER = 8,
  SDB_SCHEMA_STRING = 16,
  SDB_SCHEMA_ARRAY = 32,
  SDB_SCHEMA_OBJECT = 64,
  SDB_SCHEMA_ANY = 127
};

typedef struct sdb_schema_property {
  sdb_slice name;
  const sdb_schema *schema; /* NULL: named by `required` only */
  bool required;
} sdb_schema_property;

typedef struct sdb_schema_object {
  const sdb_schema_property *properties;
  uint32_t count, required_count;
  const uint16_t
      *slots; /* a hash table of indexes into properties, + 1; NULL where there are few */
  uint32_t slots_mask;
  uint32_t count_min, count_max;
  const sdb_schema *additional; /* NULL: anything */
  const sdb_schema *names;      /* propertyNames, or NULL */
} sdb_schema_object;

typedef struct sdb_schema_array {
  const sdb_schema *const *prefix;
  uint32_t prefix_count;
  uint32_t count_min, count_max;
  bool unique;
  const sdb_schema *items; /* behind the prefix; NULL: anything */
} sdb_schema_array;

typedef enum sdb_schema_format {
  SDB_FORMAT_NONE,
  SDB_FORMAT_UUID,
  SDB_FORMAT_EMAIL,
  SDB_FORMAT_DATE_TIME,
  SDB_FORMAT_DATE,
  SDB_FORMAT_TIME,
  SDB_FORMAT_URI,
  SDB_FORMAT_IPV4,
  SDB_FORMAT_IPV6
} sdb_schema_format;

typedef struct sdb_schema_string {
  uint32_t length_min, length_max; /* code points */
  sdb_schema_format format;
  sdb_slice pattern; /* its text */
  void *compiled;    /* what the port made of it, or NULL */
} sdb_schema_string;

/* A bound given as text is compared exactly; one given as a double, by doubles. */
typedef struct sdb_schema_bound {
  enum { SDB_BOUND_NONE, SDB_BOUND_TEXT, SDB_BOUND_DOUBLE } kind;
  sdb_slice text;
  double number;
} sdb_schema_bound;

typedef struct sdb_schema_number {
  sdb_schema_bound minimum, maximum, exclusive_minimum, exclusive_maximum;
  sdb_slice multiple_of; /* empty: none */
} sdb_schema_number;

typedef struct sdb_schema_list {
  const sdb_schema *const *schemas;
  uint32_t count;
} sdb_schema_list;

/* What applies to values of every type. */
typedef struct sdb_schema_common {
  const sdb_json *source; /* where the tokens of `values` and `constant` stand */
  const uint32_t *values; /* enum */
  uint32_t values_count;  /* 0: no enum */
  uint32_t constant;      /* const, or 0 */
  sdb_schema_list all, any, one;
  const sdb_schema *negated, *reference; /* not, $ref */
} sdb_schema_common;

struct sdb_schema {
  uint8_t types; /* 0: nothing matches, the schema `false` */
  uint8_t chain; /* while compiling: the longest chain of schemas on one value, 0 unknown */
  bool visiting, top_seen; /* while compiling */
  uint32_t token;          /* where it stands in its source, for errors in definitions */
  const sdb_schema_object *object;
  const sdb_schema_array *array;
  const sdb_schema_string *string;
  const sdb_schema_number *number;
  const sdb_schema_common *common;
  sdb_schema *next; /* all nodes of one compilation */
};

/* All that a store's schemas own: nodes, the scanned texts they refer to, compiled patterns. */
typedef struct sdb_schema_source {
  struct sdb_schema_source *next;
  sdb_json json;
} sdb_schema_source;

typedef struct sdb_schema_pattern {
  struct sdb_schema_pattern *next;
  void *compiled;
} sdb_schema_pattern;

struct sdb_schema_set {
  const sdb_mem *mem;
  const sdb_pattern_port *patterns;
  sdb_arena arena;
  sdb_schema_source *sources;
  sdb_schema_pattern *compiled;
};

void sdb_schema_set_init(sdb_schema_set *set, const sdb_mem *mem, const sdb_pattern_port *patterns);
void sdb_schema_set_free(sdb_schema_set *set);

/* Copies and scans a text, which then lives as long as the set. `what` names it in messages:
 * "the schema". SDB_BAD_DEFINITION (error->offset where it is not JSON), SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_schema_source_add(sdb_schema_set *set, sdb_slice text,
    const char *what, const sdb_json **source, sdb_error *error);

/* Compiles the schema at `at` of a source; its `#` is there. `whole_object`: it is for an object
 * of a store, so it may not speak of keys that begin with `$` and must be able to match an object.
 * SDB_BAD_DEFINITION with a path from the source's root, SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_schema_compile(sdb_schema_set *set, const sdb_json *source,
    uint32_t at, bool whole_object, const sdb_schema **schema, sdb_error *error);

/* The compiled form of a table of fields. Errors as sdb_schema_compile's. */
SDB_MUST_CHECK sdb_status sdb_fields_compile(
    sdb_schema_set *set, const sdb_field *fields, const sdb_schema **schema, sdb_error *error);

/* The hash of a property's name in the index over an object's properties. */
uint32_t sdb_schema_name_hash(sdb_slice name);

/* Finishes an object part: builds the index over its properties. False: out of memory. */
bool sdb_schema_index(sdb_schema_set *set, sdb_schema_object *object);

/* ---- checking ---- */

/* Why a value was refused. Messages are made of it only where somebody reads them. */
typedef enum sdb_schema_fault {
  SDB_FAULT_NONE,
  SDB_FAULT_TYPE,
  SDB_FAULT_NEVER,
  SDB_FAULT_CONST,
  SDB_FAULT_ENUM,
  SDB_FAULT_REQUIRED,
  SDB_FAULT_ADDITIONAL,
  SDB_FAULT_PROPERTIES_MIN,
  SDB_FAULT_PROPERTIES_MAX,
  SDB_FAULT_ITEMS_MIN,
  SDB_FAULT_ITEMS_MAX,
  SDB_FAULT_UNIQUE,
  SDB_FAULT_LENGTH_MIN,
  SDB_FAULT_LENGTH_MAX,
  SDB_FAULT_PATTERN,
  SDB_FAULT_FORMAT,
  SDB_FAULT_MINIMUM,
  SDB_FAULT_MAXIMUM,
  SDB_FAULT_EXCLUSIVE_MINIMUM,
  SDB_FAULT_EXCLUSIVE_MAXIMUM,
  SDB_FAULT_MULTIPLE_OF,
  SDB_FAULT_ANY_OF,
  SDB_FAULT_ONE_OF_NONE,
  SDB_FAULT_ONE_OF_SEVERAL,
  SDB_FAULT_NOT,
  /* the check itself was given up; nothing that holds it (anyOf, not...) may go on */
  SDB_FAULT_STEPS,
  SDB_FAULT_DEPTH,
  SDB_FAULT_PATTERN_LIMIT,
  SDB_FAULT_NO_MEMORY
} sdb_schema_fault;

typedef struct sdb_schema_failure {
  sdb_schema_fault fault;
  uint32_t at; /* the token that is refused; a key's, where its name is */
  const sdb_schema *schema;
  sdb_slice missing; /* FAULT_REQUIRED: the name */
} sdb_schema_failure;

/* One check as it runs. */
typedef struct sdb_schema_checker {
  const sdb_schema_set *set;
  const sdb_json *json;
  uint32_t root;       /* the object that is checked */
  uint32_t created_at; /* the token of its key `$createdAt`, which no schema sees, or 0 */
  uint32_t depth;
  uint64_t steps, pattern_steps; /* left */
  sdb_schema_failure failure;
} sdb_schema_checker;

/* Whether the object at `at` matches. If not, `*failure` says why. */
bool sdb_schema_check(const sdb_schema_set *set, const sdb_schema *schema, const sdb_json *json,
    uint32_t at, sdb_schema_failure *failure);

/* Takes steps off the checker; false once they are used up, with the failure set. */
bool sdb_schema_spend(sdb_schema_checker *checker, uint64_t steps, uint32_t at);

/* Sets the failure and gives false. */
bool sdb_schema_fail(
    sdb_schema_checker *checker, sdb_schema_fault fault, const sdb_schema *schema, uint32_t at);

/* sdb_json_equal, paid for in steps. False too where they ran out: the failure then says so. */
bool sdb_schema_equal(sdb_schema_checker *checker, const sdb_json *a, uint32_t at_a,
    const sdb_json *b, uint32_t at_b);

/* uniqueItems: whether no two items of the array at `at` are equal. */
bool sdb_schema_check_unique(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at);

/* Whether the unescaped text is of the format. */
bool sdb_schema_format_is(sdb_schema_format format, sdb_slice text);

/* The format of this name, or SDB_FORMAT_NONE. */
sdb_schema_format sdb_schema_format_of(sdb_slice name);

/* What a format asks for: "an email address". */
const char *sdb_schema_format_text(sdb_schema_format format);

/* ---- telling people ---- */

/* Writes the JSON Pointer from `root` to `target` to `path`, cut where it does not fit. True if
 * `target` is a key: the pointer then leads to its member. */
bool sdb_schema_path(const sdb_json *json, uint32_t root, uint32_t target, char *path);

/* Appends a reference token of a JSON Pointer, escaped: "/a~1b". */
void sdb_schema_path_append(char *path, sdb_slice name);

/* Fills `*error` (may be NULL) from a failure: `status`, the path, and `prefix` with what is wrong
 * as the message. Gives `status`, or SDB_NO_MEMORY where that was the fault. */
sdb_status sdb_schema_report(const sdb_schema_failure *failure, const sdb_json *json, uint32_t root,
    sdb_status status, const char *prefix, sdb_error *error);

#endif
