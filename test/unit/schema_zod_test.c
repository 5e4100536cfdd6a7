/* schema_zod_test.c: what `z.toJSONSchema` of zod 4.6.7 emits for everyday schemas, pasted, with
 * objects that zod's safeParse takes and refuses alike (but for unknown keys, which zod strips). */
#include "store_fixture.h"

typedef struct zod_object {
  const char *object;
  const char *path; /* where it is refused; NULL: it is taken */
} zod_object;

typedef struct zod_schema {
  const char *name, *schema;
  zod_object objects[12];
} zod_schema;

static const zod_schema SCHEMAS[] = {
    {"the brief's chat message",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"obje"
        "ct\",\"properties\":{\"role\":{\"type\":\"string\"},\"content\":{\"type\":\"string\"}"
        "},\"required\":[\"role\",\"content\"],\"additionalProperties\":false}",
        {
            {"{\"role\":\"user\",\"content\":\"hi\"}", NULL},
            {"{\"role\":\"user\"}", "/content"},
            {"{\"role\":1,\"content\":\"\"}", "/role"},
            {"{\"role\":\"\",\"content\":\"\",\"x\":1}", "/x"},
        }},
    {"an account",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"obje"
        "ct\",\"properties\":{\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":80"
        "},\"email\":{\"type\":\"string\",\"format\":\"email\",\"pattern\":\"^(?:[A-Za-z0-9_"
        "'+\\\\-]+\\\\.)*[A-Za-z0-9_'+\\\\-]*[A-Za-z0-9_+-]@(?:[A-Za-z0-9][A-Za-z0-9\\"
        "\\-]*\\\\.)+[A-Za-z]{2,}$\"},\"age\":{\"type\":\"integer\",\"minimum\":0,\"maximum\""
        ":150},\"bio\":{\"type\":[\"string\",\"null\"]},\"tags\":{\"maxItems\":3,\"type\":\"ar"
        "ray\",\"items\":{\"type\":\"string\",\"maxLength\":20}}},\"required\":[\"name\",\"em"
        "ail\",\"bio\",\"tags\"],\"additionalProperties\":false}",
        {
            {"{\"name\":\"A\",\"email\":\"a@b.cd\",\"bio\":null,\"tags\":[\"x\"]}", NULL},
            {"{\"name\":\"\",\"email\":\"a@b.cd\",\"bio\":null,\"tags\":[]}", "/name"},
            {"{\"name\":\"A\",\"email\":\"a@b\",\"bio\":null,\"tags\":[]}", "/email"},
            {"{\"name\":\"A\",\"email\":\"a@b.cd\",\"age\":1.5,\"bio\":null,\"tags\":[]}", "/age"},
            {"{\"name\":\"A\",\"email\":\"a@b.cd\",\"age\":151,\"bio\":null,\"tags\":[]}", "/age"},
            {"{\"name\":\"A\",\"email\":\"a@b.cd\",\"bio\":2,\"tags\":[]}", "/bio"},
            {"{\"name\":\"A\",\"email\":\"a@b.cd\",\"bio\":\"\",\"tags\":[\"a\",\"b\",\"c\",\"d\"]"
             "}",
                "/tags"},
        }},
    {"formats",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"obje"
        "ct\",\"properties\":{\"id\":{\"type\":\"string\",\"format\":\"uuid\",\"pattern\":\"^(["
        "0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3"
        "}-[0-9a-fA-F]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-f"
        "fff-ffff-ffffffffffff)$\"},\"v7\":{\"type\":\"string\",\"format\":\"uuid\",\"patte"
        "rn\":\"^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-"
        "F]{3}-[0-9a-fA-F]{12})$\"},\"at\":{\"type\":\"string\",\"format\":\"date-time\",\""
        "pattern\":\"^(?:(?:\\\\d\\\\d[2468][048]|\\\\d\\\\d[13579][26]|\\\\d\\\\d0[48]|[0246"
        "8][048]00|[13579][26]00)-02-29|\\\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|"
        "[12]\\\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\\\d|30)|(?:02)-(?:0[1-9]|1\\"
        "\\d|2[0-8])))T(?:(?:[01]\\\\d|2[0-3]):[0-5]\\\\d:[0-5]\\\\d(?:\\\\.\\\\d+)?(?:Z))"
        "$\"},\"day\":{\"type\":\"string\",\"format\":\"date\",\"pattern\":\"^(?:(?:\\\\d\\\\d[24"
        "68][048]|\\\\d\\\\d[13579][26]|\\\\d\\\\d0[48]|[02468][048]00|[13579][26]00)-0"
        "2-29|\\\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\\\d|3[01])|(?:0[469]|1"
        "1)-(?:0[1-9]|[12]\\\\d|30)|(?:02)-(?:0[1-9]|1\\\\d|2[0-8])))$\"},\"time\":{\"t"
        "ype\":\"string\",\"pattern\":\"^(?:[01]\\\\d|2[0-3]):[0-5]\\\\d(?::[0-5]\\\\d(?:\\\\"
        ".\\\\d+)?)?$\"},\"url\":{\"type\":\"string\",\"format\":\"uri\"},\"v4\":{\"type\":\"stri"
        "ng\",\"format\":\"ipv4\",\"pattern\":\"^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|"
        "[1-9][0-9]|[0-9])\\\\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|"
        "[0-9])$\"},\"v6\":{\"type\":\"string\",\"format\":\"ipv6\",\"pattern\":\"^(([0-9a-fA"
        "-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|([0-9a-fA-F]{1"
        ",4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}"
        "){1,2}|([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1"
        ",4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}|([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-"
        "F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:((:[0-9a-fA-F]{1,4}){1,6})|:((:[0-9a-fA"
        "-F]{1,4}){1,7}|:))$\"},\"guid\":{\"type\":\"string\",\"format\":\"uuid\",\"pattern"
        "\":\"^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a"
        "-fA-F]{12})$\"}},\"additionalProperties\":false}",
        {
            {"{\"id\":\"fed649ad-f26f-4fcb-ad05-d1b70049fa1f\",\"v7\":\"01974f63-6abc-7000-8107-"
             "66e6c9a45dda\",\"at\":\"2025-06-08T11:49:42.805Z\",\"day\":\"2024-02-29\",\"time\":"
             "\"11:49:42\",\"url\":\"https://example.com/"
             "a\",\"v4\":\"127.0.0.1\",\"v6\":\"2001:db8::1\",\"guid\":\"00000000-0000-0000-0000-"
             "00000000000a\"}",
                NULL},
            {"{\"v7\":\"fed649ad-f26f-4fcb-ad05-d1b70049fa1f\"}", "/v7"},
            {"{\"at\":\"2025-06-08T11:49:42+02:00\"}", "/at"},
            {"{\"day\":\"2025-02-29\"}", "/day"},
            {"{\"time\":\"25:00\"}", "/time"},
            {"{\"url\":\"example.com\"}", "/url"},
            {"{\"v4\":\"256.0.0.1\"}", "/v4"},
            {"{\"v6\":\"::g\"}", "/v6"},
            {"{\"guid\":\"x\"}", "/guid"},
        }},
    {"a discriminated union",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"oneOf\":[{\"t"
        "ype\":\"object\",\"properties\":{\"kind\":{\"type\":\"string\",\"const\":\"text\"},\"t"
        "ext\":{\"type\":\"string\"}},\"required\":[\"kind\",\"text\"],\"additionalProperti"
        "es\":false},{\"type\":\"object\",\"properties\":{\"kind\":{\"type\":\"string\",\"con"
        "st\":\"image\"},\"url\":{\"type\":\"string\",\"format\":\"uri\"},\"width\":{\"type\":\"i"
        "nteger\",\"minimum\":-2147483648,\"maximum\":2147483647}},\"required\":[\"kind"
        "\",\"url\",\"width\"],\"additionalProperties\":false}]}",
        {
            {"{\"kind\":\"text\",\"text\":\"\"}", NULL},
            {"{\"kind\":\"image\",\"url\":\"a:b\",\"width\":3}", NULL},
            {"{\"kind\":\"image\",\"url\":\"a:b\",\"width\":2147483648}", "/width"},
            {"{\"kind\":\"image\",\"url\":\"a:b\"}", "/width"},
            {"{\"kind\":\"video\"}", ""},
        }},
    {"records",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"obje"
        "ct\",\"properties\":{\"r\":{\"type\":\"object\",\"propertyNames\":{\"type\":\"string"
        "\"},\"additionalProperties\":{\"type\":\"number\"}},\"e\":{\"type\":\"object\",\"pro"
        "pertyNames\":{\"type\":\"string\",\"enum\":[\"a\",\"b\"]},\"additionalProperties\":"
        "{\"type\":\"boolean\"},\"required\":[\"a\",\"b\"]},\"p\":{\"type\":\"object\",\"propert"
        "yNames\":{\"type\":\"string\",\"enum\":[\"a\",\"b\"]},\"additionalProperties\":{\"ty"
        "pe\":\"string\"}}},\"required\":[\"r\",\"e\",\"p\"],\"additionalProperties\":false}",
        {
            {"{\"r\":{\"x\":1},\"e\":{\"a\":true,\"b\":false},\"p\":{}}", NULL},
            {"{\"r\":{\"x\":\"1\"},\"e\":{\"a\":true,\"b\":false},\"p\":{}}", "/r/x"},
            {"{\"r\":{},\"e\":{\"a\":true},\"p\":{}}", "/e/b"},
            {"{\"r\":{},\"e\":{\"a\":true,\"b\":true},\"p\":{\"c\":\"\"}}", "/p/c"},
        }},
    {"tuples",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"obje"
        "ct\",\"properties\":{\"pair\":{\"type\":\"array\",\"prefixItems\":[{\"type\":\"strin"
        "g\"},{\"type\":\"number\"}],\"items\":false,\"minItems\":2,\"maxItems\":2},\"rest\""
        ":{\"type\":\"array\",\"prefixItems\":[{\"type\":\"string\"}],\"items\":{\"type\":\"nu"
        "mber\"},\"minItems\":1}},\"required\":[\"pair\",\"rest\"],\"additionalProperties"
        "\":false}",
        {
            {"{\"pair\":[\"a\",1],\"rest\":[\"a\",1,2]}", NULL},
            {"{\"pair\":[\"a\"],\"rest\":[\"a\"]}", "/pair"},
            {"{\"pair\":[\"a\",1,2],\"rest\":[\"a\"]}", "/pair"},
            {"{\"pair\":[\"a\",1],\"rest\":[\"a\",\"b\"]}", "/rest/1"},
        }},
    {"strings",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"obje"
        "ct\",\"properties\":{\"regex\":{\"type\":\"string\",\"pattern\":\"^[a-z]+$\"},\"low\""
        ":{\"type\":\"string\",\"pattern\":\"^a-?\\\\d+(?:\\\\.\\\\d+)?$\"},\"slug\":{\"type\":\"s"
        "tring\",\"pattern\":\"^[\\\\w.-]+\\\\/\\\\d{1,3}$\"}},\"required\":[\"regex\",\"low\",\""
        "slug\"],\"additionalProperties\":false}",
        {
            {"{\"regex\":\"abc\",\"low\":\"a-1.5\",\"slug\":\"a.b-c/12\"}", NULL},
            {"{\"regex\":\"aBc\",\"low\":\"a1\",\"slug\":\"a/1\"}", "/regex"},
            {"{\"regex\":\"abc\",\"low\":\"b1\",\"slug\":\"a/1\"}", "/low"},
            {"{\"regex\":\"abc\",\"low\":\"a1\",\"slug\":\"a/1234\"}", "/slug"},
        }},
    {"numbers",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"obje"
        "ct\",\"properties\":{\"positive\":{\"type\":\"number\",\"exclusiveMinimum\":0},\"p"
        "rice\":{\"type\":\"number\",\"multipleOf\":0.01},\"open\":{\"type\":\"number\",\"exc"
        "lusiveMinimum\":0,\"exclusiveMaximum\":10},\"int\":{\"type\":\"integer\",\"minim"
        "um\":-9007199254740991,\"maximum\":9007199254740991}},\"required\":[\"positi"
        "ve\",\"price\",\"open\",\"int\"],\"additionalProperties\":false}",
        {
            {"{\"positive\":0.1,\"price\":19.99,\"open\":9.9,\"int\":9007199254740991}", NULL},
            {"{\"positive\":0,\"price\":1,\"open\":1,\"int\":1}", "/positive"},
            {"{\"positive\":1,\"price\":0.001,\"open\":1,\"int\":1}", "/price"},
            {"{\"positive\":1,\"price\":1,\"open\":10,\"int\":1}", "/open"},
            {"{\"positive\":1,\"price\":1,\"open\":1,\"int\":9007199254740992}", "/int"},
        }},
    {"literals and unions",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"obje"
        "ct\",\"properties\":{\"one\":{\"type\":\"string\",\"const\":\"x\"},\"many\":{\"enum\":["
        "\"a\",1,null]},\"either\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"pr"
        "operties\":{\"a\":{\"type\":\"number\"}},\"required\":[\"a\"],\"additionalProperti"
        "es\":false}]},\"nothing\":{\"type\":\"null\"},\"anything\":{},\"unknown\":{}},\"re"
        "quired\":[\"one\",\"many\",\"either\",\"nothing\",\"anything\"],\"additionalProper"
        "ties\":false}",
        {
            {"{\"one\":\"x\",\"many\":1.0,\"either\":{\"a\":1},\"nothing\":null,\"anything\":[]}",
                NULL},
            {"{\"one\":\"y\",\"many\":1,\"either\":\"\",\"nothing\":null,\"anything\":0}", "/one"},
            {"{\"one\":\"x\",\"many\":2,\"either\":\"\",\"nothing\":null,\"anything\":0}", "/many"},
            {"{\"one\":\"x\",\"many\":1,\"either\":{\"a\":\"b\"},\"nothing\":null,\"anything\":0}",
                "/either/a"},
            {"{\"one\":\"x\",\"many\":1,\"either\":\"\",\"nothing\":0,\"anything\":0}", "/nothing"},
        }},
    {"a tree",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"obje"
        "ct\",\"properties\":{\"value\":{\"type\":\"string\"},\"children\":{\"type\":\"array\""
        ",\"items\":{\"$ref\":\"#\"}}},\"required\":[\"value\",\"children\"],\"additionalPro"
        "perties\":false}",
        {
            {"{\"value\":\"a\",\"children\":[{\"value\":\"b\",\"children\":[]}]}", NULL},
            {"{\"value\":\"a\",\"children\":[{\"value\":\"b\"}]}", "/children/0/children"},
        }},
    {"a shared schema",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"obje"
        "ct\",\"properties\":{\"x\":{\"$ref\":\"#/$defs/Named\"},\"y\":{\"$ref\":\"#/$defs/Na"
        "med\"}},\"required\":[\"x\",\"y\"],\"additionalProperties\":false,\"$defs\":{\"Nam"
        "ed\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":["
        "\"a\"],\"additionalProperties\":false}}}",
        {
            {"{\"x\":{\"a\":\"\"},\"y\":{\"a\":\"\"}}", NULL},
            {"{\"x\":{\"a\":\"\"},\"y\":{\"a\":1}}", "/y/a"},
        }},
    {"any JSON",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"obje"
        "ct\",\"properties\":{\"v\":{\"$ref\":\"#/$defs/__schema0\"}},\"required\":[\"v\"],\""
        "additionalProperties\":false,\"$defs\":{\"__schema0\":{\"anyOf\":[{\"type\":\"st"
        "ring\"},{\"type\":\"number\"},{\"type\":\"boolean\"},{\"type\":\"null\"},{\"type\":\"a"
        "rray\",\"items\":{\"$ref\":\"#/$defs/__schema0\"}},{\"type\":\"object\",\"property"
        "Names\":{\"type\":\"string\"},\"additionalProperties\":{\"$ref\":\"#/$defs/__sch"
        "ema0\"}}]}}}",
        {
            {"{\"v\":[{\"a\":[1,null,\"x\",true]}]}", NULL},
        }},
    {"intersection, defaults, catchall, annotations",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"obje"
        "ct\",\"properties\":{\"i\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"stri"
        "ng\"},\"b\":{\"type\":\"string\"}},\"required\":[\"a\",\"b\"],\"additionalProperties"
        "\":false},\"d\":{\"default\":\"x\",\"description\":\"d\",\"title\":\"t\",\"examples\":["
        "\"x\"],\"type\":\"string\"},\"c\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\""
        "string\"}},\"required\":[\"a\"],\"additionalProperties\":{\"type\":\"number\"}},\""
        "l\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\""
        "a\"],\"additionalProperties\":{}},\"s\":{\"type\":\"object\",\"properties\":{},\"a"
        "dditionalProperties\":false},\"n\":{\"readOnly\":true,\"minItems\":1,\"type\":\""
        "array\",\"items\":{\"type\":\"integer\",\"minimum\":-9007199254740991,\"maximum\""
        ":9007199254740991}}},\"required\":[\"i\",\"d\",\"c\",\"l\",\"s\",\"n\"],\"additionalP"
        "roperties\":false}",
        {
            {"{\"i\":{\"a\":\"\",\"b\":\"\"},\"d\":\"\",\"c\":{\"a\":\"\",\"z\":1},\"l\":{\"a\":"
             "\"\",\"z\":\"\"},\"s\":{},\"n\":[1]}",
                NULL},
            {"{\"i\":{\"a\":\"\"},\"d\":\"\",\"c\":{\"a\":\"\"},\"l\":{\"a\":\"\"},\"s\":{},\"n\":["
             "1]}",
                "/i/b"},
            {"{\"i\":{\"a\":\"\",\"b\":\"\"},\"d\":\"\",\"c\":{\"a\":\"\",\"z\":\"\"},\"l\":{\"a\":"
             "\"\"},\"s\":{},\"n\":[1]}",
                "/c/z"},
            {"{\"i\":{\"a\":\"\",\"b\":\"\"},\"d\":\"\",\"c\":{\"a\":\"\"},\"l\":{\"a\":\"\"},"
             "\"s\":{\"a\":1},\"n\":[1]}",
                "/s/a"},
            {"{\"i\":{\"a\":\"\",\"b\":\"\"},\"d\":\"\",\"c\":{\"a\":\"\"},\"l\":{\"a\":\"\"},"
             "\"s\":{},\"n\":[]}",
                "/n"},
        }},
};

static void what_zod_emits_is_understood(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(SCHEMAS) / sizeof(SCHEMAS[0]); i++) {
    failing_memory memory;
    failing_memory_init(&memory, 0);
    sdb_store *store = make_schema_store(SCHEMAS[i].schema, &memory);
    for (const zod_object *expected = SCHEMAS[i].objects; expected->object; expected++)
      assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of(expected->object),
          expected->path ? SDB_INVALID_OBJECT : SDB_OK, expected->path, "");
    sdb_store_destroy(store);
    assert_int_equal(memory.live, 0);
  }
}

/* Formats of zod that are no formats of JSON Schema are refused, not ignored: for some of them
 * nothing else in the schema says what the string must be. */
static void formats_of_zod_alone_are_refused(void **state) {
  (void)state;
  assert_bad_schema("{\"properties\":{\"a\":{\"type\":\"string\",\"format\":\"jwt\"}}}",
      "/properties/a/format", "the format \"jwt\" is not supported");
  assert_bad_schema("{\"properties\":{\"a\":{\"type\":\"string\",\"format\":\"base64\","
                    "\"contentEncoding\":\"base64\"}}}",
      "/properties/a/contentEncoding", "\"contentEncoding\" is not supported");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_zod_emits_is_understood),
      cmocka_unit_test(formats_of_zod_alone_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
