/*
 * xensock xenstore: nodes, values and permissions of a running testbed's xenstore, and what
 * changes.
 *
 * It only reads; who wants to write has Xen's own tools, which speak to the same socket. `ls`
 * prints what xenstore-ls -fp does, to the byte.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/look_common.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: xensock xenstore ls    --runtime DIR [OPTION]... [PATH]\n"
    "       xensock xenstore read  --runtime DIR [OPTION]... PATH\n"
    "       xensock xenstore watch --runtime DIR [OPTION]... [PATH]\n"
    "\n"
    "ls: every node below PATH (default /) with value and permissions, as xenstore-ls -fp.\n"
    "read: the value of PATH.\n"
    "watch: PATH and what is below it, whenever it changes, with its value; until SIGINT.\n"
    "\n"
    "  --domain N          as domain N, with its permissions (default: as a tool of domain 0)\n"
    "  --count N           of watch: end after N lines\n" LOOK_HELP "\n"
    "  xensock xenstore watch --runtime /tmp/xs /local/domain/1\n"
    "  XENSTORED_PATH=/tmp/xs/xenstore.sock xenstore-write /tool/note hello\n";

static const char token[] = "xensock";

/* A value as a text on a terminal: what is no printable ASCII as an escape of C. */
static void print_value(const char *value, uint32_t bytes)
{
    static const char named[] = "\tt\nn\rr\\\\";

    for (uint32_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)value[i];
        const char *name = byte ? strchr(named, byte) : NULL;
        if (name && (name - named) % 2 == 0)
            printf("\\%c", name[1]);
        else if (byte < 8)
            printf("\\%03o", byte);
        else if (byte < ' ' || byte > '~')
            printf("\\x%02x", byte);
        else
            putchar(byte);
    }
}

/* The answer as the member `value`, or, if it is no text, in hex digits as `value_hex`. */
static void add_value(json_t *object, const struct look_client *client)
{
    char hex[2 * LOOK_CLIENT_PAYLOAD_MAX + 1] = "";
    json_t *value = NULL;

    if (!memchr(client->answer, '\0', client->answer_bytes))
        value = json_stringn(client->answer, client->answer_bytes);
    if (value) {
        json_object_set_new(object, "value", value);
        return;
    }
    for (uint32_t i = 0; i < client->answer_bytes; i++)
        snprintf(hex + (size_t)2 * i, 3, "%02x", (unsigned char)client->answer[i]);
    json_object_set_new(object, "value_hex", json_string(hex));
}

/* A path or a permission as xenstore says it: ASCII, or it is no xenstore. */
static json_t *as_text(const char *text)
{
    json_t *string = json_string(text);

    return string ? string : json_string("?");
}

/* The answer as a list: permissions come as texts, each with its NUL. */
static json_t *permissions(const struct look_client *client)
{
    json_t *list = json_array();

    for (uint32_t at = 0; at < client->answer_bytes;
         at += (uint32_t)strlen(client->answer + at) + 1)
        json_array_append_new(list, as_text(client->answer + at));
    return list;
}

/* Whether the fault is only that the node went, or is not for us: then it is left out. */
static bool is_withheld(const struct look *look)
{
    const struct look_client *client = &look->client;

    return client->fault == LOOK_CLIENT_REFUSED &&
           (strcmp(client->refusal, "ENOENT") == 0 || strcmp(client->refusal, "EACCES") == 0);
}

static void print_node(const char *path, const struct look_client *client, const json_t *allowed)
{
    const json_t *one;
    size_t i;

    printf("%s = \"", path);
    print_value(client->answer, client->answer_bytes);
    printf("\"   (");
    json_array_foreach(allowed, i, one) printf("%s%s", i > 0 ? "," : "", json_string_value(one));
    printf(")\n");
}

/* Show a node: as text at once, as JSON by adding it to `nodes`. */
static bool show_node(struct look *look, const char *path, json_t *nodes)
{
    struct look_client *client = &look->client;

    if (!look_client_permissions(client, path))
        return is_withheld(look);
    json_t *allowed = permissions(client);
    bool there = look_client_read(client, path);
    if (there && look->json) {
        json_t *node = json_pack("{s:o, s:O}", "path", as_text(path), "permissions", allowed);
        assert(node);
        add_value(node, client);
        json_array_append_new(nodes, node);
    } else if (there) {
        print_node(path, client, allowed);
    }
    json_decref(allowed);
    return there || is_withheld(look);
}

/* What is still to be shown: full paths, a stack, so that the depth is nobody's limit. */
struct todo {
    char **paths;
    size_t count, room;
};

static void push(struct todo *todo, const char *directory, const char *name)
{
    size_t bytes = strlen(directory) + strlen(name) + 2;

    if (todo->count == todo->room) {
        todo->room = todo->room ? 2 * todo->room : 64;
        todo->paths = realloc(todo->paths, todo->room * sizeof(*todo->paths));
        assert(todo->paths);
    }
    char *path = malloc(bytes);
    assert(path);
    snprintf(path, bytes, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory, name);
    todo->paths[todo->count++] = path;
}

/* The children, the first of them on top. */
static bool push_children(struct look *look, const char *path, struct todo *todo)
{
    uint32_t bytes;
    char *names = look_client_list(&look->client, path, &bytes);
    size_t first = todo->count;

    if (!names)
        return false;
    for (uint32_t at = 0; at < bytes; at += (uint32_t)strlen(names + at) + 1)
        push(todo, path, names + at);
    free(names);
    for (size_t last = todo->count; first + 1 < last; first++, last--) {
        char *swapped = todo->paths[first];
        todo->paths[first] = todo->paths[last - 1];
        todo->paths[last - 1] = swapped;
    }
    return true;
}

static bool show_all(struct look *look, struct todo *todo, json_t *nodes, char **failed)
{
    bool good = true;

    while (good && todo->count > 0) {
        char *path = todo->paths[--todo->count];
        good =
            show_node(look, path, nodes) && (push_children(look, path, todo) || is_withheld(look));
        if (!good)
            *failed = path;
        else
            free(path);
    }
    return good;
}

static int list(struct look *look, const char *root)
{
    struct todo todo = {0};
    json_t *nodes = json_array();
    char *failed = NULL;
    int code = CMD_OK;

    if (!push_children(look, root, &todo) || !show_all(look, &todo, nodes, &failed)) {
        code = look_failed(look, failed ? failed : root);
    } else if (look->json) {
        json_t *object = look_object(look);
        json_object_set(object, "nodes", nodes);
        look_print(object);
        json_decref(object);
    }
    while (todo.count > 0)
        free(todo.paths[--todo.count]);
    free(todo.paths);
    free(failed);
    json_decref(nodes);
    return code;
}

static int read_value(struct look *look, const char *path)
{
    if (!look_client_read(&look->client, path))
        return look_failed(look, path);
    if (look->json) {
        json_t *object = look_object(look);
        json_object_set_new(object, "path", as_text(path));
        add_value(object, &look->client);
        look_print(object);
        json_decref(object);
    } else {
        print_value(look->client.answer, look->client.answer_bytes);
        putchar('\n');
    }
    return CMD_OK;
}

/* One line: the path that changed, and what it is now, unless it is gone or withheld. */
static bool show_change(struct look *look, const char *path)
{
    struct look_client *client = &look->client;
    bool there = path[0] != '@' && look_client_read(client, path);

    if (path[0] != '@' && !there && !is_withheld(look))
        return false;
    if (look->json) {
        json_t *change = json_pack("{s:o}", "path", as_text(path));
        assert(change);
        if (there)
            add_value(change, client);
        json_dumpf(change, stdout, JSON_COMPACT);
        json_decref(change);
    } else {
        printf("%s", path);
        if (there) {
            printf(" = \"");
            print_value(client->answer, client->answer_bytes);
            printf("\"");
        }
    }
    putchar('\n');
    return fflush(stdout) == 0;
}

static int stop_pipe[2];

static void on_stop(int number)
{
    (void)number;
    ssize_t written = write(stop_pipe[1], "", 1);
    (void)written; /* full: it is readable already */
}

/* A descriptor that is readable once we are to end, so that no signal falls between two waits. */
static int stop_descriptor(void)
{
    const struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
    int ret = pipe(stop_pipe);

    assert(ret == 0);
    (void)ret;
    fcntl(stop_pipe[1], F_SETFL, O_NONBLOCK);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return stop_pipe[0];
}

static int watch(struct look *look, const char *path, uint64_t count)
{
    char changed[LOOK_CLIENT_PAYLOAD_MAX + 1];
    int stop = stop_descriptor();
    bool stopped = false, good = look_client_watch(&look->client, path, token);

    if (good && look->json) {
        json_t *object = look_object(look);
        json_dumpf(object, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(object);
        look->begun = true;
    }
    for (uint64_t shown = 0; good && shown < count; shown++) {
        good = look_client_next(&look->client, stop, &stopped);
        if (stopped)
            break;
        snprintf(changed, sizeof(changed), "%s", look->client.answer);
        good = good && show_change(look, changed);
    }
    if (good || ferror(stdout)) /* main says what it is about the output */
        return CMD_OK;
    return look_failed(look, path);
}

static int run(struct look *look, const char *action, const char *path, uint64_t count)
{
    int code;

    if (!look_client_open(&look->client, look->runtime, look->domain, look->timeout_ms))
        return look_failed(look, path);
    if (strcmp(action, "ls") == 0)
        code = list(look, path);
    else if (strcmp(action, "read") == 0)
        code = read_value(look, path);
    else
        code = watch(look, path, count);
    look_client_close(&look->client);
    return code;
}

/* A watch that ends before its first line would be no answer. */
static bool take_count(const char *text, uint64_t *count)
{
    if (!cmd_number("--count", text, UINT32_MAX, count))
        return false;
    if (*count == 0)
        fprintf(stderr, "xensock: error: --count takes a number from 1, not 0\n");
    return *count > 0;
}

int cmd_xenstore(int argc, char **argv)
{
    static const struct option options[] = {
        LOOK_OPTIONS, {"count", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
    static const struct {
        const char *name, *command;
        bool needs_path;
    } actions[] = {{"ls", "xenstore ls", false},
                   {"read", "xenstore read", true},
                   {"watch", "xenstore watch", false}};
    uint64_t count = UINT64_MAX;
    struct look look;
    int option, action = 0;

    look_init(&look, "xenstore");
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (option == 'c' ? !take_count(optarg, &count) : !look_option(&look, option, optarg))
            return CMD_USAGE;
    }
    while (action < 3 && (optind == argc || strcmp(argv[optind], actions[action].name) != 0))
        action++;
    if (action == 3 || !look.runtime || argc - optind > 2 ||
        (actions[action].needs_path && argc - optind < 2) || (count != UINT64_MAX && action != 2))
        return cmd_usage(help);
    look.command = actions[action].command;
    return run(&look, actions[action].name, argc - optind == 2 ? argv[optind + 1] : "/", count);
}
