/* cli/types.c: `syncdb types`: TypeScript for the stores of a stores file, or of a shared object.
 *
 * Of a shared object, the page's WebAssembly module is compiled from the same C file and has the
 * definitions: the stores are named (moduleStore). Those of a stores file are written out whole
 * (jsonStore), for any module.
 */
#include "commands.h"
#include "stores_file.h"
#include "text.h"
#include "types_writer.h"
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define STORES_MAX 256 /* the library takes no more */

enum { DONE = 0, FAILED = 2 }; /* exit codes */

static const char HELP[] =
    "usage: syncdb types --stores FILE [--output FILE]\n"
    "\n"
    "Writes TypeScript for the stores of FILE: a type for the objects of each, and a store that\n"
    "`createClient` of the npm package syncdb takes.\n"
    "\n"
    "  --stores FILE  a stores file, as `syncdb serve` reads it, or a shared object compiled from\n"
    "                 the C file that defines syncdb_stores\n"
    "  --output FILE  write to FILE, once all is well, instead of standard output\n"
    "  --help         this text\n"
    "\n"
    "Exit status: 0 written, 2 bad usage, or a file that cannot be read or is not valid.\n";

static int bad_usage(const char *what, const char *which) {
  fprintf(stderr, "syncdb types: %s%s\nTry `syncdb types --help`.\n", what, which);
  return FAILED;
}

/* ---- one store ---- */

static const char *type_name(const sdb_store *store) {
  return sdb_store_type_of(store) == SDB_STORE_EVENT ? "event" : "singular";
}

/* A store's name as a constant: its name on the wire, where that is no word of the language. */
static const char *constant_name(sdb_cli_types *types, const sdb_store *store) {
  static const char *const WORDS[] = {"await", "break", "case", "catch", "class", "const",
      "continue", "debugger", "default", "delete", "do", "else", "enum", "export", "extends",
      "false", "finally", "for", "function", "if", "implements", "import", "in", "instanceof",
      "interface", "let", "new", "null", "package", "private", "protected", "public", "return",
      "static", "super", "switch", "this", "throw", "true", "try", "typeof", "var", "void", "while",
      "with", "yield", "eval", "arguments", "undefined", "moduleStore", "jsonStore"};
  char name[128];
  snprintf(name, sizeof(name), "%s", sdb_store_wire_name(store));
  for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
    if (strcmp(name, WORDS[i]) != 0) continue;
    snprintf(name, sizeof(name), "%sStore", WORDS[i]);
    break;
  }
  return sdb_cli_types_take(types, name);
}

/* A store of a module: `definition` is in it. False: it was said why not. */
static bool write_module_store(sdb_cli_types *types, FILE *to, const sdb_store *store,
    const sdb_store_definition *definition, const char *type, const char *constant) {
  const char *why = NULL;
  if (definition->fields) {
    if (!sdb_cli_types_fields(types, to, type, definition->fields, &why)) {
      fprintf(stderr, "syncdb types: %s: %s\n", sdb_store_name(store), why);
      return false;
    }
  } else {
    json_error_t error;
    json_t *schema = sdb_cli_types_parse(definition->schema, strlen(definition->schema), &error);
    if (!schema) {
      fprintf(stderr, "syncdb types: %s: the schema: %s\n", sdb_store_name(store), error.text);
      return false;
    }
    sdb_cli_types_schema(types, to, type, schema);
    json_decref(schema);
  }
  fprintf(to, "\nexport const %s = moduleStore<%s, \"%s\">(\"%s\", \"%s\");\n", constant, type,
      type_name(store), sdb_store_name(store), type_name(store));
  return true;
}

/* A store that is written out: `entry` is of a stores file. */
static void write_json_store(sdb_cli_types *types, FILE *to, const sdb_store *store,
    const json_t *entry, const char *type, const char *constant) {
  json_t *rules = json_object_get(entry, "rules");
  sdb_cli_types_schema(types, to, type, json_object_get(entry, "schema"));
  fprintf(to, "\nexport const %s = jsonStore<%s, \"%s\">({\n", constant, type, type_name(store));
  fprintf(
      to, "  name: \"%s\",\n  type: \"%s\",\n  schema: ", sdb_store_name(store), type_name(store));
  sdb_cli_types_value(to, json_object_get(entry, "schema"));
  if (rules) {
    fputs(",\n  rules: ", to);
    sdb_cli_types_value(to, rules);
  }
  fputs(",\n});\n", to);
}

/* ---- all of them ---- */

static const char *file_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* False: it was said why not. */
static bool write_stores(
    sdb_cli_types *types, FILE *to, const sdb_cli_stores *stores, const json_t *entries) {
  const char *type[STORES_MAX], *constant[STORES_MAX];
  for (size_t i = 0; i < stores->count; i++) {
    const char *wire_name = sdb_store_wire_name(stores->list[i]);
    type[i] = sdb_cli_types_take(types, sdb_cli_types_capital(types, wire_name));
    constant[i] = constant_name(types, stores->list[i]);
  }
  for (size_t i = 0; i < stores->count; i++) {
    putc('\n', to);
    if (!entries) {
      if (!write_module_store(
              types, to, stores->list[i], &stores->definitions[i], type[i], constant[i]))
        return false;
    } else {
      write_json_store(
          types, to, stores->list[i], json_array_get(entries, i), type[i], constant[i]);
    }
  }
  return true;
}

static bool write_file(const char *path, const sdb_cli_stores *stores, FILE *to) {
  json_t *file = NULL;
  json_error_t error;
  if (!stores->definitions) {
    file = sdb_cli_types_parse(stores->text, stores->text_size, &error);
    if (!file) {
      fprintf(stderr, "syncdb types: %s: line %d: %s\n", path, error.line, error.text);
      return false;
    }
  }
  sdb_cli_types types;
  sdb_cli_types_init(&types);
  fprintf(to,
      "// Made by `syncdb types` of %s: what is changed here by hand is lost.\n"
      "import { %s } from \"syncdb/module\";\n",
      file_name(path), file ? "jsonStore" : "moduleStore");
  bool written = write_stores(&types, to, stores, json_object_get(file, "stores"));
  sdb_cli_types_free(&types);
  json_decref(file);
  return written;
}

/* Puts the text where it is wanted. */
static int put(const char *output, const char *text, size_t size) {
  FILE *to = output ? fopen(output, "wb") : stdout;
  if (to && fwrite(text, 1, size, to) == size && (output ? fclose(to) : fflush(to)) == 0)
    return DONE;
  fprintf(stderr, "syncdb types: cannot write %s: %s\n", output ? output : "the types",
      strerror(errno));
  return FAILED;
}

static int run(const char *path, const char *output) {
  sdb_cli_stores stores;
  char *text = NULL;
  size_t size = 0;
  if (!sdb_cli_stores_load("types", path, &stores)) return FAILED;
  FILE *to = open_memstream(&text, &size);
  bool written = to && write_file(path, &stores, to);
  if (to && fclose(to) != 0) written = false;
  sdb_cli_stores_free(&stores);
  int result = written ? put(output, text, size) : FAILED;
  free(text);
  return result;
}

int sdb_types_run(int argc, char **argv) {
  static const struct option OPTIONS[] = {{"stores", required_argument, NULL, 's'},
      {"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'},
      {NULL, 0, NULL, 0}};
  const char *stores = NULL, *output = NULL;
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, ":", OPTIONS, NULL)) != -1;) {
    switch (option) {
    case 's':
      stores = optarg;
      break;
    case 'o':
      output = optarg;
      break;
    case 'h':
      fputs(HELP, stdout);
      return DONE;
    case ':':
      return bad_usage("a value is missing behind ", argv[optind - 1]);
    default:
      return bad_usage("unknown option ", argv[optind - 1]);
    }
  }
  if (!stores) return bad_usage("--stores is missing", "");
  if (optind < argc) return bad_usage("what is this: ", argv[optind]);
  return run(stores, output);
}
