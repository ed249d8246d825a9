/* SPDX-License-Identifier: GPL-2.0-or-later
 * What 'humpy' makes of versions and of the directory of running VMs. Its command lines are tested
 * from outside (tests/functional/test_vm_words.py).
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "place.h"
#include "semver.h"
#include "util/error.h"

/* Cargo's book, "Specifying Dependencies". */
static void test_semver(void)
{
    static const struct {
        const char *text;
        bool low, high; /* 1.2.3, 1.9.0 */
    } cases[] = {
        { "1.2.3", true, true },
        { "^1.2.3", true, true },
        { "~1.2.3", true, false },
        { "~1.2", true, false },
        { "~1", true, true },
        { "1", true, true },
        { "*", true, true },
        { "1.*", true, true },
        { "1.2.*", true, false },
        { "=1.2.3", true, false },
        { "=1.2", true, false },
        { ">1.2.3", false, true },
        { ">1.2", false, true },
        { ">=1.3", false, true },
        { "<1.3", true, false },
        { "<=1.2", true, false },
        { "^0.1", false, false },
        { "2", false, false },
        { ">=1.2, <1.9", true, false },
        { ">= 1.2.3-alpha.1 , < 2", true, true },
        { "1.2.3+build-5", true, true },
    };
    static const char *const wrong[] = {
        "",    " ",   "a",      "1.",         "1.2.3.4", "01",    "1.02",        "1,",     ",1",
        "1 2", "==1", "1.2.3-", "1.2.3-a..b", "1.2-a",   "1.*.3", "99999999999", "1.2.3+", "v1",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;
        bool low, high;

        g_assert_true(semver_match(cases[i].text, (Semver){ { 1, 2, 3 } }, &low, &error));
        g_assert_true(semver_match(cases[i].text, (Semver){ { 1, 9, 0 } }, &high, &error));
        if (low != cases[i].low || high != cases[i].high) {
            g_error("'%s': %d %d", cases[i].text, low, high);
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        bool matches;

        if (semver_match(wrong[i], (Semver){ { 1, 2, 3 } }, &matches, &error)) {
            g_error("'%s' is taken", wrong[i]);
        }
        g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX);
    }
}

/* For a caret the first part that is not 0 counts. */
static void test_semver_zero(void)
{
    GError *error = NULL;
    bool matches;

    g_assert_true(semver_match("^0.2.3", (Semver){ { 0, 2, 9 } }, &matches, &error));
    g_assert_true(matches);
    g_assert_true(semver_match("^0.2.3", (Semver){ { 0, 3, 0 } }, &matches, &error));
    g_assert_false(matches);
    g_assert_true(semver_match("^0.0.3", (Semver){ { 0, 0, 4 } }, &matches, &error));
    g_assert_false(matches);
}

static unsigned n_places(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) all = place_list(&error);

    g_assert_no_error(error);
    return all->len;
}

static void test_place_life(void)
{
    g_autoptr(GError) error = NULL;
    Place *a = place_create("a", &error), *made;

    g_assert_no_error(error);
    g_assert_true(place_is_alive(a));
    g_assert_cmpuint(n_places(), ==, 1);
    g_assert_null(place_create("a", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_clear_error(&error);
    made = place_create(NULL, &error);
    g_assert_cmpstr(made->name, ==, "vm0");
    place_remove(made);
    place_free(made);
    g_assert_null(place_create("../b", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX);
    g_clear_error(&error);
    g_assert_true(place_write_info(a, "{}", &error));
    g_assert_true(g_file_test(a->info, G_FILE_TEST_EXISTS));
    place_free(a); /* its process is gone, so to speak */
    g_assert_cmpuint(n_places(), ==, 0);
    g_assert_null(place_find("a", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN);
}

/* Processes that make, look and die at any moment: none ever finds its place taken or broken. */
static void test_place_crowd(void)
{
    enum { CHILDREN = 8, ROUNDS = 60 };
    pid_t children[CHILDREN];

    for (unsigned i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            g_autofree char *name = g_strdup_printf("crowd%u", i);

            for (unsigned n = 0; n < ROUNDS; n++) {
                g_autoptr(GError) error = NULL;
                g_autoptr(Place) own = place_create(name, &error);
                g_autoptr(Place) found = own != NULL ? place_find(name, &error) : NULL;

                if (found == NULL || !place_write_info(own, "{}", &error)) {
                    g_printerr("%s\n", error->message);
                    _exit(1);
                }
                if (n % 2 == 0) {
                    place_remove(own);
                }
            }
            _exit(0);
        }
    }
    for (unsigned i = 0; i < CHILDREN; i++) {
        int status;

        g_assert_cmpint(waitpid(children[i], &status, 0), ==, children[i]);
        g_assert_cmpint(status, ==, 0);
    }
    g_assert_cmpuint(n_places(), ==, 0);
}

static void test_place_of_others(void)
{
    g_autofree char *dir = g_build_filename(g_getenv("HUMPY_RUNTIME_DIR"), "open", NULL);
    g_autofree char *before = g_strdup(g_getenv("HUMPY_RUNTIME_DIR"));
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(mkdir(dir, 0777), ==, 0);
    g_assert_cmpint(chmod(dir, 0777), ==, 0);
    g_setenv("HUMPY_RUNTIME_DIR", dir, TRUE);
    g_assert_null(place_create("a", &error));
    g_setenv("HUMPY_RUNTIME_DIR", before, TRUE);
    g_rmdir(dir);
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST);
}

int main(int argc, char **argv)
{
    g_autofree char *dir = NULL;
    int result;

    g_test_init(&argc, &argv, NULL);
    dir = g_dir_make_tmp("humpy-launch-XXXXXX", NULL);
    g_setenv("HUMPY_RUNTIME_DIR", dir, TRUE);
    g_test_add_func("/launch/semver/cargo", test_semver);
    g_test_add_func("/launch/semver/zero", test_semver_zero);
    g_test_add_func("/launch/place/life", test_place_life);
    g_test_add_func("/launch/place/crowd", test_place_crowd);
    g_test_add_func("/launch/place/of-others-is-refused", test_place_of_others);
    result = g_test_run();
    g_rmdir(dir);
    return result;
}
