/* What a program on this host is told by its C library, glibc or musl.
 *
 *     cc -o lookup lookup.c && ./lookup web.service.internal
 *
 * lookup [-4|-6] [-n COUNT] NAME: a line for each lookup, with all addresses in the order in which a
 * program would try them. Ends with 2 when there is no such name, 3 when it has no address of this
 * kind, 4 when nobody could say, 1 otherwise. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int exit_code(int error) {
    switch (error) {
    case EAI_NONAME:
        return 2;
#ifdef EAI_NODATA
    case EAI_NODATA:
        return 3;
#endif
    case EAI_AGAIN:
        return 4;
    default:
        return 1;
    }
}

int main(int argc, char **argv) {
    /* One entry for each address, not one for each kind of socket as well. */
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int count = 1, option;
    while ((option = getopt(argc, argv, "46n:")) != -1) {
        if (option == '4') hints.ai_family = AF_INET;
        else if (option == '6') hints.ai_family = AF_INET6;
        else if (option == 'n') count = atoi(optarg);
        else return 64;
    }
    if (optind + 1 != argc) return 64;
    while (count-- > 0) {
        struct addrinfo *found = NULL;
        int error = getaddrinfo(argv[optind], NULL, &hints, &found);
        if (error) {
            fprintf(stderr, "%s: %s\n", argv[optind], gai_strerror(error));
            return exit_code(error);
        }
        for (struct addrinfo *each = found; each; each = each->ai_next) {
            char text[INET6_ADDRSTRLEN];
            const void *address = each->ai_family == AF_INET6
                ? (const void *)&((struct sockaddr_in6 *)each->ai_addr)->sin6_addr
                : (const void *)&((struct sockaddr_in *)each->ai_addr)->sin_addr;
            inet_ntop(each->ai_family, address, text, sizeof text);
            printf("%s%c", text, each->ai_next ? ' ' : '\n');
        }
        freeaddrinfo(found);
    }
    return 0;
}
