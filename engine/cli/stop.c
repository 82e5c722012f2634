/* stop.c - the signals that ask a long command to stop: it looks between two steps, and leaves everything in order. */
#include <unistd.h>

#include "cli.h"

volatile int cli_stop_signal;

static void on_signal(int signal_number)
{
    if (cli_stop_signal)
        _exit(128 + signal_number); /* the second time: at once; the stores survive that too */
    cli_stop_signal = signal_number;
}

void cli_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
