%% The Erlang peer: an actor is a process, an ask a message with a fresh reference. (A module named
%% just `peer` would hide one of OTP's.) Run as
%%
%%   erl -noinput -pa DIR -s peer_erlang main -extra CASE --loops N [--seconds S]
%%
%% --loops is the number of schedulers that are online. With two, the halves of ping-pong are placed
%% by spawn_opt's {scheduler, N}: undocumented, and the only way to make sure that they really are on
%% different schedulers. Everything else is placed by Erlang.
-module(peer_erlang).
-export([main/0]).

-define(CHUNK, 256).
-define(RING_SIZE, 1000).
-define(IDLE_ACTORS, 200000).
-define(BUFFER_SIZE, 16384).
-define(TIMERS, 1000000).
-define(HOUR, 3600000).

main() ->
    try
        command(init:get_plain_arguments()),
        halt(0)
    catch
        Class:Reason:Stack ->
            io:format(standard_error, "~p: ~p~n~p~n", [Class, Reason, Stack]),
            halt(1)
    end.

command(["--list"]) ->
    [io:format("~s ~b~n", [Case, Loops]) || Case <- cases(), Loops <- [1, 2]],
    io:format("idle 1~necho64 1~necho16k 1~n");
command(["echo", "--port", Port]) ->
    echo(list_to_integer(Port));
command([Case | Options]) ->
    Loops = list_to_integer(option("--loops", Options, "1")),
    Seconds = number(option("--seconds", Options, "0.3")),
    erlang:system_flag(schedulers_online, Loops),
    {Unit, Value} = measure(Case, Loops, Seconds),
    io:format("~s erlang ~b ~s ~.2f~n", [Case, Loops, Unit, Value]).

option(Name, [Name, Value | _], _) -> Value;
option(Name, [_, _ | Rest], Default) -> option(Name, Rest, Default);
option(_, [], Default) -> Default.

number(Text) ->
    try
        list_to_float(Text)
    catch
        error:badarg -> float(list_to_integer(Text))
    end.

cases() ->
    ["pingpong", "fanin1", "fanin8", "ask", "spawn", "ring", "timers-fire", "timers-arm"].

measure("idle", _, _) ->
    {"bytes", idle()};
measure("timers-fire", _, _) ->
    %% As many warm up.
    fire(random_delays(?TIMERS, 1000)),
    {"ns", fire(random_delays(?TIMERS, 1000)) / ?TIMERS};
measure(Case, Loops, Seconds) ->
    {First, Limit} =
        case Case of
            "spawn" -> {8 * ?CHUNK, 1 bsl 17};
            "timers-arm" -> {?TIMERS, ?TIMERS};
            _ -> {8 * ?CHUNK, 1 bsl 20}
        end,
    Budget = Seconds * 1.0e9,
    Run = fun(Count) -> run(Case, Loops, Count) end,
    {"ns", total(Run, calibrate(Run, Budget / 8, Limit, First), Budget, 0, 0)}.

%% The count doubles until a run is long enough to be believed, which is also the warm-up.
calibrate(Run, Enough, Limit, Count) ->
    case Run(Count) of
        Took when Took < Enough, Count * 2 =< Limit -> calibrate(Run, Enough, Limit, Count * 2);
        _ -> Count
    end.

total(_, _, Budget, Total, Operations) when Total >= Budget -> Total / Operations;
total(Run, Count, Budget, Total, Operations) ->
    total(Run, Count, Budget, Total + Run(Count), Operations + Count).

%% Nanoseconds from the call of Start until somebody sends `done`.
timed(Start) ->
    Begin = erlang:monotonic_time(nanosecond),
    Start(),
    receive
        done -> erlang:monotonic_time(nanosecond) - Begin
    end.

%% On scheduler N when there are so many, else on the only one.
on(N, Loops, Fun) -> spawn_opt(Fun, [{scheduler, min(N, Loops)}]).

run("pingpong", Loops, Count) ->
    Main = self(),
    Pong = on(2, Loops, fun() -> receive Peer -> volley(Peer, Main) end end),
    Ping = on(1, Loops, fun() -> volley(Pong, Main) end),
    Pong ! Ping,
    Took = timed(fun() -> Ping ! Count end),
    [exit(Pid, kill) || Pid <- [Ping, Pong]],
    Took;
run("fanin1", _, Count) ->
    fan_in(1, Count);
run("fanin8", _, Count) ->
    fan_in(8, Count);
run("ask", _, Count) ->
    Main = self(),
    Server = spawn(fun answer_all/0),
    Took = timed(fun() -> spawn(fun() -> ask_all(Server, 0, Count), Main ! done end) end),
    Server ! stop,
    Took;
run("spawn", _, Count) ->
    Main = self(),
    Alive = atomics:new(1, []),
    atomics:put(Alive, 1, Count),
    timed(fun() -> spawn(fun() -> spawn_all(Count, Alive, Main) end) end);
run("ring", _, Count) ->
    Main = self(),
    Last = spawn(fun() -> receive Next -> volley(Next, Main) end end),
    First = lists:foldl(fun(_, Next) -> spawn(fun() -> volley(Next, Main) end) end,
                        Last, lists:seq(2, ?RING_SIZE)),
    Last ! First,
    Took = timed(fun() -> First ! Count end),
    First ! stop,
    Took;
run("timers-arm", _, Count) ->
    Delays = random_delays(Count, ?HOUR),
    erlang:garbage_collect(),
    Begin = erlang:monotonic_time(nanosecond),
    Timers = [erlang:send_after(?HOUR + Delay, self(), fired) || Delay <- Delays],
    [erlang:cancel_timer(Timer) || Timer <- Timers],
    erlang:monotonic_time(nanosecond) - Begin.

%% Nanoseconds of user and system time that arming these timers and receiving their messages takes.
fire(Delays) ->
    erlang:garbage_collect(),
    statistics(runtime),
    [erlang:send_after(Delay, self(), fired) || Delay <- Delays],
    receive_fired(length(Delays)),
    {_, Spent} = statistics(runtime),
    Spent * 1000000.

receive_fired(0) ->
    ok;
receive_fired(Left) ->
    receive
        fired -> receive_fired(Left - 1)
    end.

%% Milliseconds: Erlang's timers know nothing finer. Marsaglia's xorshift.
random_delays(Count, Below) -> random_delays(Count, Below, 88172645463325252, []).

random_delays(0, _, _, Delays) ->
    Delays;
random_delays(Left, Below, State, Delays) ->
    A = State bxor ((State bsl 13) band 16#FFFFFFFFFFFFFFFF),
    B = A bxor (A bsr 7),
    C = B bxor ((B bsl 17) band 16#FFFFFFFFFFFFFFFF),
    random_delays(Left - 1, Below, C, [C rem Below | Delays]).

%% The number counts down the hops that are left.
volley(Next, Main) ->
    receive
        1 -> Main ! done, volley(Next, Main);
        stop -> Next ! stop;
        Left -> Next ! Left - 1, volley(Next, Main)
    end.

fan_in(Senders, Count) ->
    Main = self(),
    timed(fun() ->
        To = spawn(fun() -> receive_all(Count, 0, Main) end),
        [spawn(fun() -> send_all(To, Count div Senders) end) || _ <- lists:seq(1, Senders)]
    end).

receive_all(0, _, Main) ->
    Main ! done;
receive_all(Left, Sum, Main) ->
    receive
        Value -> receive_all(Left - 1, Sum + Value, Main)
    end.

send_all(_, 0) ->
    ok;
send_all(To, Left) ->
    To ! Left,
    Left rem ?CHUNK =:= 0 andalso erlang:yield(),
    send_all(To, Left - 1).

answer_all() ->
    receive
        {From, Reference, Value} ->
            From ! {Reference, Value + 1},
            answer_all();
        stop ->
            ok
    end.

ask_all(_, Count, Count) -> ok;
ask_all(Server, Value, Count) -> ask_all(Server, ask(Server, Value), Count).

ask(Server, Value) ->
    Reference = make_ref(),
    Server ! {self(), Reference, Value},
    receive
        {Reference, Reply} -> Reply
    end.

spawn_all(0, _, _) ->
    ok;
spawn_all(Left, Alive, Main) ->
    Pid = spawn(fun() -> die_after_one(Alive, Main) end),
    Pid ! Left,
    Left rem ?CHUNK =:= 0 andalso erlang:yield(),
    spawn_all(Left - 1, Alive, Main).

die_after_one(Alive, Main) ->
    receive
        _ -> ok
    end,
    atomics:sub_get(Alive, 1, 1) =:= 0 andalso (Main ! done).

idle() ->
    PageSize = list_to_integer(string:trim(os:cmd("getconf PAGESIZE"))),
    Asleep = atomics:new(1, []),
    erlang:garbage_collect(),
    Before = resident_pages(),
    [spawn(fun() -> atomics:add(Asleep, 1, 1), idle_actor(0) end)
     || _ <- lists:seq(1, ?IDLE_ACTORS)],
    wait_for(Asleep),
    (resident_pages() - Before) * PageSize / ?IDLE_ACTORS.

wait_for(Asleep) ->
    case atomics:get(Asleep, 1) of
        ?IDLE_ACTORS -> ok;
        _ -> erlang:yield(), wait_for(Asleep)
    end.

idle_actor(State) ->
    receive
        Value -> idle_actor(State + Value)
    end.

resident_pages() ->
    {ok, Content} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = binary:split(Content, <<" ">>, [global]),
    binary_to_integer(Pages).

echo(Port) ->
    erlang:system_flag(schedulers_online, 1),
    Options = [binary, {ip, {127, 0, 0, 1}}, {active, false}, {nodelay, true}, {reuseaddr, true},
               {backlog, 128}, {buffer, ?BUFFER_SIZE}],
    {ok, Listener} = gen_tcp:listen(Port, Options),
    {ok, Bound} = inet:port(Listener),
    io:format("port ~b~n", [Bound]),
    accept(Listener).

accept(Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    Pid = spawn(fun() -> receive go -> serve(Socket) end end),
    ok = gen_tcp:controlling_process(Socket, Pid),
    Pid ! go,
    accept(Listener).

serve(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Data} ->
            case gen_tcp:send(Socket, Data) of
                ok -> serve(Socket);
                {error, _} -> gen_tcp:close(Socket)
            end;
        {error, _} ->
            gen_tcp:close(Socket)
    end.
