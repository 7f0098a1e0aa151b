#!/usr/bin/env escript
%%! +sbtu
%%% run_ct.escript RESULT [SUITE... | SUITE CASE...]: compiles test/ct and test/harness and runs all suites, as many
%%% at once as there are processors, or those that are named. Writes "PASSED FAILED" to the file RESULT,
%%% and what did not pass, with the reason, to RESULT.failed.
%%%
%%% Started by `make`, which sets ERL_LIBS. Everything it writes goes to _build/ct. No node is
%%% distributed, so no epmd is started.

-mode(compile).

-define(SOURCES, "test/{ct,harness}").
-define(BEAMS, "_build/ct/beams").
-define(DATABASE, "test/support/private_database.py").
-define(PLUGIN, "_build/default/lib/ejabberd_twitter/ebin").

main([Result | Chosen]) ->
    %% Absolute: Common Test changes the working directory.
    ResultFile = filename:absname(Result),
    %% Each run has its own, so that two do not disturb each other.
    Beams = filename:join(filename:absname(?BEAMS), os:getpid()),
    Shown = logs(os:getenv("TWITTER_STORAGE", "mnesia")),
    Logs = filename:absname(Shown),
    ok = filelib:ensure_dir(filename:join(Beams, "x")),
    ok = filelib:ensure_dir(filename:join(Logs, "x")),
    _ = code:add_patha(filename:absname(?PLUGIN)),
    true = code:add_patha(Beams),
    ok = file:write_file(failures(Beams), []),
    {All, AllCompile} = compile(Beams),
    AllCompile orelse Chosen =/= [] orelse give_up(Beams),
    Storage = twitter_database:storage(),
    Database = start_database(Storage, Beams),
    Suites = twitter_database:suites(All),
    Runs =
        case lists:splitwith(fun is_suite/1, Chosen) of
            {[], []} -> run_all(Suites, Beams, Logs);
            {[Suite], Cases} -> [run(list_to_atom(Suite), Cases, Beams, Logs)];
            {Several, []} -> run_all([list_to_atom(Suite) || Suite <- Several], Beams, Logs)
        end,
    Passed = lists:sum([P || {_, P, _} <- Runs]),
    Failed = lists:sum([F || {_, _, F} <- Runs]),
    [io:format("~s failed: ~ts/~s/index.html~n", [Suite, Shown, Suite]) || {Suite, _, F} <- Runs, F > 0],
    ok = stop_database(Database),
    say_left_out(),
    io:format("Common Test with ~s: ~b passed, ~b failed; logs: ~ts~n", [Storage, Passed, Failed, Shown]),
    ok = filelib:ensure_dir(ResultFile),
    {ok, Reasons} = file:read_file(failures(Beams)),
    ok = file:write_file([ResultFile, ".failed"], Reasons),
    io:put_chars(unicode:characters_to_list(Reasons)),
    ok = file:del_dir_r(Beams),
    ok = file:write_file(ResultFile, io_lib:format("~b ~b~n", [Passed, Failed])),
    halt(min(Failed, 1)).

%% Runs with different storages do not mix theirs.
logs("mnesia") -> "_build/ct/logs";
logs(Storage) -> "_build/ct/logs_" ++ Storage.

%% Where twitter_failed writes.
failures(Beams) ->
    filename:join(Beams, "failed.txt").

compile(Beams) ->
    Sources = filelib:wildcard(filename:join(?SOURCES, "*.erl")),
    Options = [debug_info, report, nowarn_missing_spec, {outdir, Beams}],
    Compiled = [compile:file(Source, Options) || Source <- Sources],
    Suites = [Module || {ok, Module} <- Compiled, is_suite(atom_to_list(Module))],
    {Suites, not lists:member(error, Compiled)}.

is_suite(Name) ->
    lists:suffix("_SUITE", Name).

%% PostgreSQL or MariaDB, for all servers of this run. It ends when we do, however that comes: it watches its
%% standard input.
start_database(Kind, Beams) when Kind =:= pgsql; Kind =:= mysql ->
    Arguments = [?DATABASE, atom_to_list(Kind), filename:join(Beams, "database"), twitter_database:schema(Kind)],
    Python = os:find_executable(os:getenv("PYTHON", "python3")),
    Database = open_port({spawn_executable, Python}, [{args, Arguments}, {line, 1000}, exit_status]),
    receive
        {Database, {data, {eol, Place}}} ->
            true = os:putenv("TWITTER_DATABASE", Place),
            Database;
        {Database, {exit_status, _}} ->
            give_up(Beams)
    end;
start_database(_, _Beams) ->
    none.

stop_database(none) ->
    ok;
stop_database(Database) ->
    %% Closed, a port would not tell when its program is gone.
    {os_pid, Pid} = erlang:port_info(Database, os_pid),
    [] = os:cmd(lists:append(["kill ", integer_to_list(Pid)])),
    receive
        {Database, {exit_status, _}} -> ok
    end.

say_left_out() ->
    case file:read_file(twitter_database:left_out()) of
        {ok, Text} ->
            io:format("not for this storage:~n"),
            [io:format("    ~ts~n", [Line]) || Line <- lists:usort(string:lexemes(Text, "\n"))];
        {error, enoent} ->
            ok
    end.

%% Whoever asks for one suite may be at work on another.
give_up(Beams) ->
    ok = file:del_dir_r(Beams),
    halt(1).

%% Those that may take long begin first, so that no processor is left alone with one of them.
run_all(Suites, Beams, Logs) ->
    Queue = lists:reverse(lists:keysort(1, [{longest(Suite), Suite} || Suite <- Suites])),
    work([Suite || {_, Suite} <- Queue], Beams, Logs, erlang:system_info(schedulers_online), []).

%% In seconds, as far as a suite says so.
longest(Suite) ->
    {module, Suite} = code:ensure_loaded(Suite),
    Info =
        case erlang:function_exported(Suite, suite, 0) of
            true -> Suite:suite();
            false -> []
        end,
    {seconds, Seconds} = proplists:get_value(timetrap, Info, {seconds, 0}),
    Seconds.

work([Suite | Queue], Beams, Logs, Idle, Busy) when Idle > 0 ->
    {_, Run} = spawn_monitor(fun() -> exit({ran, run_apart(Suite, Beams, Logs)}) end),
    work(Queue, Beams, Logs, Idle - 1, [{Run, Suite} | Busy]);
work(_Queue, _Beams, _Logs, _Idle, []) ->
    [];
work(Queue, Beams, Logs, Idle, Busy) ->
    receive
        {'DOWN', Run, process, _, Reason} ->
            {value, {_, Suite}, Others} = lists:keytake(Run, 1, Busy),
            [ended(Suite, Reason) | work(Queue, Beams, Logs, Idle + 1, Others)]
    end.

ended(_Suite, {ran, Run}) ->
    Run;
ended(Suite, Reason) ->
    io:format("~s did not run: ~p~n", [Suite, Reason]),
    {Suite, 0, 1}.

%% In a node of its own.
run_apart(Suite, Beams, Logs) ->
    {ok, Peer, _} = peer:start_link(#{connection => standard_io}),
    ok = peer:call(Peer, code, add_pathsa, [code:get_path()]),
    Run = peer:call(Peer, ct, run_test, [options(Suite, [], Beams, Logs)], infinity),
    ok = peer:stop(Peer),
    count(Suite, Run).

run(Suite, Cases, Beams, Logs) ->
    count(Suite, ct:run_test(options(Suite, Cases, Beams, Logs))).

options(Suite, Cases, Beams, Logs) ->
    Own = filename:join(Logs, Suite),
    ok = filelib:ensure_dir(filename:join(Own, "x")),
    [
        {dir, Beams}, {auto_compile, false}, {logdir, Own}, {abort_if_missing_suites, true},
        {ct_hooks, [{twitter_failed, failures(Beams)}]}
        | choose(Suite, Cases)
    ].

choose(Module, []) ->
    [{suite, Module}];
choose(Module, Cases) ->
    %% What is not listed by itself is in a group, and needs what the group sets up.
    {Alone, Grouped} = lists:partition(
        fun(Case) -> lists:member(Case, Module:all()) end, [list_to_atom(Case) || Case <- Cases]
    ),
    Groups = [{group, all} || Alone =:= [], Grouped =/= []],
    [{suite, Module}, {testcase, Alone ++ Grouped} | Groups].

%% A skipped case did not pass.
count(Suite, {Passed, Failed, {UserSkipped, AutoSkipped}}) ->
    {Suite, Passed, Failed + UserSkipped + AutoSkipped};
count(Suite, Error) ->
    ended(Suite, Error).
