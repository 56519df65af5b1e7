# Keeps one private server. Reads an order per line and answers each with its exit status and the server's process
# id. When the orders end, because our owner is done or dead, it stops the server and removes the folder.
#   $1 the folder to make
folder=$1

# Ctrl-C and hangups are meant for our owner, whose end we see; answering an owner that is gone must not end us.
trap '' HUP INT QUIT TERM PIPE
umask 077
mkdir "$folder" || { echo 1; exit 1; }
exec 2>>"$folder/log"
server=

# Writes a file.
#   $1 its path, $2 what it says
write() {
    printf '%s' "$2" >"$1"
}

# Runs a program to its end.
run() {
    "$@" </dev/null >&2
}

# Runs a program as the server, in the background.
start() {
    "$@" </dev/null >&2 &
    server=$!
}

# `jobs` makes the shell notice a server that has ended; without it, `kill -0` still finds the zombie.
is_running() {
    [ -n "$server" ] && jobs >/dev/null && kill -s 0 "$server" 2>/dev/null
}

# The processes the server works with: Postgres has one per connection.
children() {
    cat "/proc/$server/task/$server/children" 2>/dev/null || pgrep -P "$server"
}

# The server first, so that it has no new children while we stop those it has; twice, for a child that was being
# born when the signal was on its way.
pause() {
    is_running && kill -s STOP "$server" && kill -s STOP $(children)
    is_running && kill -s STOP "$server" $(children)
    is_running # A child that ended meanwhile is no failure.
}

resume() {
    is_running && kill -s CONT "$server" $(children)
    is_running
}

# Ends the server with a signal and waits for it; one that has not ended after five seconds is killed.
#   $1 the signal
stop() {
    is_running && kill -s "$1" "$server"
    resume
    waits=100
    while is_running; do
        sleep 0.05
        waits=$((waits - 1))
        [ "$waits" -gt 0 ] || kill -s KILL "$server" $(children)
    done
    server=
}

echo 0
while IFS= read -r order; do
    eval "$order"
    echo "$? $server"
done
stop INT
rm -rf "$folder"
