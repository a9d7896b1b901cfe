
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the way from a viewer's JSON to the platform's injector.
 *
 * A key is remembered by its DOM code with the handle that the press gave:
 * its release must find the same key even when Shift was let go meanwhile
 * and "A" has become "a".  Presses of a key already held are the browser's
 * auto-repeat; the X server repeats by itself.
 */

#define G_LOG_DOMAIN  "rs-input"

#include "agent_input.h"

#include <math.h>
#include <string.h>


#define AGENT_INPUT_NAME     64         /* bytes of key or code */
#define AGENT_INPUT_BUTTONS  5
#define AGENT_INPUT_HANDLES  256
#define AGENT_INPUT_NOTCHES  20         /* one message */
#define AGENT_INPUT_LOG_US   (10 * G_USEC_PER_SEC)
#define AGENT_INPUT_SEQ      (((gint64) 1 << 53) - 1)
#define AGENT_INPUT_TOLD     16         /* messages until they are told */


struct agent_seat_s {
    agent_platform_t  *platform;
    guint8             keys[AGENT_INPUT_HANDLES];       /* holders */
    guint8             buttons[AGENT_INPUT_BUTTONS];
    gboolean           paused;
    gboolean           told;            /* of input since then */
};


typedef struct {
    char   *code;
    guint   handle;
} agent_held_t;


struct agent_input_s {
    agent_seat_t  *seat;
    gboolean       allowed;
    gboolean       control;
    gboolean       part;                /* of the desktop: area */
    agent_area_t   area;
    gboolean       buttons[AGENT_INPUT_BUTTONS];
    agent_held_t   held[AGENT_INPUT_HELD];
    guint          nheld;
    double         wheel_x;             /* parts of notches */
    double         wheel_y;
    gint64         sequence;            /* of the last one taken */
    gboolean       numbered;            /* there was one */
    gboolean       broken;              /* one is missing */
    gint64         logged_us;
};


typedef struct {
    const char   *name;
    gboolean      injects;
    gboolean    (*handle)(agent_input_t *input, const json_t *obj,
                          char **answer);
} agent_input_type_t;


static gboolean agent_input_on_move(agent_input_t *input, const json_t *obj,
    char **answer);
static gboolean agent_input_on_button(agent_input_t *input,
    const json_t *obj, char **answer);
static gboolean agent_input_on_wheel(agent_input_t *input, const json_t *obj,
    char **answer);
static gboolean agent_input_on_key(agent_input_t *input, const json_t *obj,
    char **answer);
static gboolean agent_input_on_release(agent_input_t *input,
    const json_t *obj, char **answer);
static gboolean agent_input_on_ping(agent_input_t *input, const json_t *obj,
    char **answer);

static gboolean agent_input_take(agent_input_t *input, const json_t *obj,
    char **answer);
static void agent_input_shown(const agent_input_t *input, agent_area_t *area);
static void agent_input_log(agent_input_t *input, const char *what);
static void agent_input_set_button(agent_input_t *input, guint button,
    gboolean down);
static void agent_input_key_down(agent_input_t *input, const char *key,
    const char *code);
static void agent_input_key_up(agent_input_t *input, guint i);
static int agent_input_notches(double *sum, double delta);


static const agent_input_type_t  agent_input_types[] = {
    { "move", TRUE, agent_input_on_move },
    { "button", TRUE, agent_input_on_button },
    { "wheel", TRUE, agent_input_on_wheel },
    { "key", TRUE, agent_input_on_key },
    { "release", TRUE, agent_input_on_release },
    { "ping", FALSE, agent_input_on_ping }
};


agent_seat_t *
agent_seat_new(agent_platform_t *platform)
{
    agent_seat_t  *seat;

    seat = g_new0(agent_seat_t, 1);
    seat->platform = platform;

    return seat;
}


void
agent_seat_free(agent_seat_t *seat)
{
    g_free(seat);
}


void
agent_seat_pause(agent_seat_t *seat, gboolean paused)
{
    seat->paused = paused;
    seat->told = FALSE;
}


agent_input_t *
agent_input_new(agent_seat_t *seat, gboolean allowed)
{
    agent_input_t  *input;

    input = g_new0(agent_input_t, 1);
    input->seat = seat;
    input->allowed = allowed;
    input->control = TRUE;

    return input;
}


void
agent_input_control(agent_input_t *input, gboolean control)
{
    input->control = control;

    if (!control) {
        agent_input_release(input);
    }
}


void
agent_input_allow(agent_input_t *input, gboolean allowed)
{
    input->allowed = allowed;
}


void
agent_input_continue(agent_input_t *input, gint64 sequence)
{
    input->sequence = sequence;
    input->broken = FALSE;
}


gint64
agent_input_sequence(const agent_input_t *input)
{
    return input->sequence;
}


gboolean
agent_input_numbered(const agent_input_t *input)
{
    return input->numbered;
}


gboolean
agent_input_broken(const agent_input_t *input)
{
    return input->broken;
}


void
agent_input_free(agent_input_t *input)
{
    agent_input_release(input);
    g_free(input);
}


void
agent_input_release(agent_input_t *input)
{
    guint  i;

    for (i = 0; i < AGENT_INPUT_BUTTONS; i++) {
        agent_input_set_button(input, i, FALSE);
    }

    while (input->nheld > 0) {
        agent_input_key_up(input, input->nheld - 1);
    }
}


void
agent_input_area(agent_input_t *input, const agent_area_t *area)
{
    input->part = (area != NULL);

    if (input->part) {
        input->area = *area;
    }
}


static void
agent_input_shown(const agent_input_t *input, agent_area_t *area)
{
    if (input->part) {
        *area = input->area;
        return;
    }

    area->x = 0;
    area->y = 0;
    agent_platform_size(input->seat->platform, &area->width, &area->height);
}


char *
agent_input_hello(const agent_input_t *input, json_t *features)
{
    agent_area_t  area;

    agent_input_shown(input, &area);

    return agent_json_text(json_pack("{s:s, s:i, s:i, s:b, s:I, s:O}",
                                     "type", "hello", "width", area.width,
                                     "height", area.height,
                                     "input", (int) input->allowed,
                                     "sequence",
                                     (json_int_t) input->sequence,
                                     "features", features));
}


int
agent_input_pixel(int u, int size)
{
    return (int) ((gint64) u * size / 65536);
}


/* anyone could fill a disk otherwise */

static void
agent_input_log(agent_input_t *input, const char *what)
{
    gint64  now_us;

    now_us = g_get_monotonic_time();

    if (input->logged_us == 0
        || now_us - input->logged_us >= AGENT_INPUT_LOG_US)
    {
        input->logged_us = now_us;
        g_info("message left aside: %s", what);
    }
}


char *
agent_input_message(agent_input_t *input, const char *text, gsize len)
{
    g_autoptr(json_t)   obj = NULL;
    g_autoptr(GError)   error = NULL;

    obj = agent_json_load(text, len, AGENT_INPUT_MESSAGE, &error);

    if (obj == NULL) {
        agent_input_log(input, error->message);
        return NULL;
    }

    return agent_input_apply(input, obj);
}


char *
agent_input_apply(agent_input_t *input, const json_t *obj)
{
    gsize                       i;
    char                       *answer;
    const char                 *name;
    const agent_input_type_t   *type;

    name = agent_json_string(obj, "type", AGENT_INPUT_NAME);
    answer = NULL;

    if (!agent_input_take(input, obj, &answer)) {
        return NULL;
    }

    for (i = 0; name != NULL && i < G_N_ELEMENTS(agent_input_types); i++) {
        type = &agent_input_types[i];

        if (strcmp(type->name, name) != 0) {
            continue;
        }

        if (type->injects && !input->allowed) {
            agent_input_log(input, "this viewer may not send input");

        } else if (type->injects && !input->control) {
            agent_input_log(input, "this viewer has no control now");

        } else if (type->injects && input->seat->paused) {
            agent_input_release(input);

            if (!input->seat->told) {
                input->seat->told = TRUE;
                g_message("input is not taken while a question is on the "
                          "screen");
            }

        } else if (!type->handle(input, obj, &answer)) {
            agent_input_log(input, "a value is missing or out of range");
        }

        return answer;
    }

    agent_input_log(input, "unknown type");

    return NULL;
}


/* FALSE: it was taken before, or another one should have been */

static gboolean
agent_input_take(agent_input_t *input, const json_t *obj, char **answer)
{
    gint64  seq;

    if (json_object_get(obj, "seq") == NULL) {
        return TRUE;
    }

    if (!agent_json_int(obj, "seq", 1, AGENT_INPUT_SEQ, &seq)
        || seq > input->sequence + 1 || input->broken)
    {
        input->broken = TRUE;
        agent_input_log(input, "it is not the next one by its number");
        return FALSE;
    }

    input->numbered = TRUE;

    if (seq <= input->sequence) {
        return FALSE;
    }

    input->sequence = seq;

    if (seq % AGENT_INPUT_TOLD == 0) {
        *answer = agent_json_text(json_pack("{s:s, s:I}", "type", "taken",
                                            "sequence", (json_int_t) seq));
    }

    return TRUE;
}


/* where the pointer goes before a button or the wheel, too */

static gboolean
agent_input_on_move(agent_input_t *input, const json_t *obj, char **answer)
{
    gint64             x, y;
    agent_area_t       area;
    agent_platform_t  *platform = input->seat->platform;

    (void) answer;

    if (!agent_json_int(obj, "x", 0, 65535, &x)
        || !agent_json_int(obj, "y", 0, 65535, &y))
    {
        return FALSE;
    }

    agent_input_shown(input, &area);
    platform->ops->move(platform,
                        area.x + agent_input_pixel((int) x, area.width),
                        area.y + agent_input_pixel((int) y, area.height));

    return TRUE;
}


static gboolean
agent_input_on_button(agent_input_t *input, const json_t *obj, char **answer)
{
    gint64    button;
    gboolean  down;

    if (!agent_json_int(obj, "button", 0, AGENT_INPUT_BUTTONS - 1, &button)
        || !agent_json_bool(obj, "down", &down)
        || !agent_input_on_move(input, obj, answer))
    {
        return FALSE;
    }

    agent_input_set_button(input, (guint) button, down);

    return TRUE;
}


static void
agent_input_set_button(agent_input_t *input, guint button, gboolean down)
{
    guint8            *holders;
    agent_platform_t  *platform = input->seat->platform;

    if (input->buttons[button] == down) {
        return;
    }

    input->buttons[button] = down;
    holders = &input->seat->buttons[button];

    if (down) {
        if ((*holders)++ == 0) {
            platform->ops->button(platform, button, TRUE);
        }

    } else if (--(*holders) == 0) {
        platform->ops->button(platform, button, FALSE);
    }
}


/* touchpads send parts of notches: whole ones are sent on, the rest kept */

static int
agent_input_notches(double *sum, double delta)
{
    double  whole;

    *sum += delta;
    whole = trunc(*sum);
    *sum -= whole;

    return (int) CLAMP(whole, -AGENT_INPUT_NOTCHES, AGENT_INPUT_NOTCHES);
}


static gboolean
agent_input_on_wheel(agent_input_t *input, const json_t *obj, char **answer)
{
    int                nx, ny;
    double             dx, dy;
    agent_platform_t  *platform = input->seat->platform;

    if (!agent_json_number(obj, "dx", -1000, 1000, &dx)
        || !agent_json_number(obj, "dy", -1000, 1000, &dy)
        || !agent_input_on_move(input, obj, answer))
    {
        return FALSE;
    }

    nx = agent_input_notches(&input->wheel_x, dx);
    ny = agent_input_notches(&input->wheel_y, dy);

    if (nx != 0 || ny != 0) {
        platform->ops->wheel(platform, nx, ny);
    }

    return TRUE;
}


static gboolean
agent_input_on_key(agent_input_t *input, const json_t *obj, char **answer)
{
    guint        i;
    gboolean     down;
    const char  *key, *code;

    (void) answer;

    key = agent_json_string(obj, "key", AGENT_INPUT_NAME);
    code = agent_json_string(obj, "code", AGENT_INPUT_NAME);

    if (key == NULL || code == NULL || key[0] == '\0'
        || !agent_json_bool(obj, "down", &down))
    {
        return FALSE;
    }

    /* on-screen keyboards give no code */

    if (code[0] == '\0') {
        code = key;
    }

    for (i = 0; i < input->nheld; i++) {

        if (strcmp(input->held[i].code, code) == 0) {

            if (!down) {
                agent_input_key_up(input, i);
            }

            return TRUE;
        }
    }

    if (down) {
        agent_input_key_down(input, key, code);
    }

    return TRUE;
}


static void
agent_input_key_down(agent_input_t *input, const char *key, const char *code)
{
    guint              handle;
    agent_held_t      *held;
    agent_platform_t  *platform = input->seat->platform;

    if (input->nheld == AGENT_INPUT_HELD) {
        agent_input_log(input, "more than 32 keys held down");
        return;
    }

    handle = platform->ops->key_down(platform, key, code);

    if (handle == 0 || handle >= AGENT_INPUT_HANDLES) {
        agent_input_log(input, "this keyboard has no such key");
        return;
    }

    input->seat->keys[handle]++;

    held = &input->held[input->nheld++];
    held->code = g_strdup(code);
    held->handle = handle;
}


static void
agent_input_key_up(agent_input_t *input, guint i)
{
    guint              handle;
    agent_platform_t  *platform = input->seat->platform;

    handle = input->held[i].handle;
    g_free(input->held[i].code);
    input->held[i] = input->held[--input->nheld];

    if (--input->seat->keys[handle] == 0) {
        platform->ops->key_up(platform, handle);
    }
}


static gboolean
agent_input_on_release(agent_input_t *input, const json_t *obj,
    char **answer)
{
    (void) obj;
    (void) answer;

    agent_input_release(input);

    return TRUE;
}


static gboolean
agent_input_on_ping(agent_input_t *input, const json_t *obj, char **answer)
{
    gint64  n;

    if (!agent_json_int(obj, "n", 0, G_MAXINT64, &n)) {
        return FALSE;
    }

    *answer = agent_json_text(input->numbered
                              ? json_pack("{s:s, s:I, s:I}", "type", "pong",
                                          "n", (json_int_t) n, "sequence",
                                          (json_int_t) input->sequence)
                              : json_pack("{s:s, s:I}", "type", "pong",
                                          "n", (json_int_t) n));

    return TRUE;
}
