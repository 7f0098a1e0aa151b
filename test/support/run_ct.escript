#!/usr/bin/env escript
%%! +sbtu
%%% run_ct.escript RESULT [SUITE [CASE...]]: compiles test/ct and runs all its suites, or
%%% one of them. Writes "PASSED FAILED" to the file RESULT.
%%%
%%% Started by `make`, which sets ERL_LIBS. Everything it writes goes to _build/ct. The
%%% node is not distributed, so no epmd is started.

-mode(compile).

-define(SOURCES, "test/ct").
-define(BEAMS, "_build/ct/beams").
-define(LOGS, "_build/ct/logs").
-define(PLUGIN, "_build/default/lib/ejabberd_twitter/ebin").

main([Result | Chosen]) ->
    %% Absolute: Common Test changes the working directory.
    ResultFile = filename:absname(Result),
    %% Each run has its own, so that two do not disturb each other.
    Beams = filename:join(filename:absname(?BEAMS), os:getpid()),
    Logs = filename:absname(?LOGS),
    ok = filelib:ensure_dir(filename:join(Beams, "x")),
    ok = filelib:ensure_dir(filename:join(Logs, "x")),
    _ = code:add_patha(filename:absname(?PLUGIN)),
    true = code:add_patha(Beams),
    {Suites, AllCompile} = compile(Beams),
    AllCompile orelse Chosen =/= [] orelse give_up(Beams),
    Run = ct:run_test([
        {dir, Beams}, {auto_compile, false}, {logdir, Logs}, {abort_if_missing_suites, true}
        | choose(Chosen, Suites)
    ]),
    {Passed, Failed} = count(Run),
    io:format("Common Test: ~b passed, ~b failed; logs: ~ts/index.html~n", [Passed, Failed, ?LOGS]),
    ok = file:del_dir_r(Beams),
    ok = filelib:ensure_dir(ResultFile),
    ok = file:write_file(ResultFile, io_lib:format("~b ~b~n", [Passed, Failed])),
    halt(min(Failed, 1)).

compile(Beams) ->
    Sources = filelib:wildcard(filename:join(?SOURCES, "*.erl")),
    Options = [debug_info, report, nowarn_missing_spec, {outdir, Beams}, {i, ?SOURCES}],
    Compiled = [compile:file(Source, Options) || Source <- Sources],
    Suites = [Module || {ok, Module} <- Compiled, lists:suffix("_SUITE", atom_to_list(Module))],
    {Suites, not lists:member(error, Compiled)}.

%% Whoever asks for one suite may be at work on another.
give_up(Beams) ->
    ok = file:del_dir_r(Beams),
    halt(1).

choose([], Suites) ->
    [{suite, Suites}];
choose([Suite], _) ->
    [{suite, list_to_atom(Suite)}];
choose([Suite | Cases], _) ->
    Module = list_to_atom(Suite),
    %% What is not listed by itself is in a group, and needs what the group sets up.
    {Alone, Grouped} = lists:partition(
        fun(Case) -> lists:member(Case, Module:all()) end, [list_to_atom(Case) || Case <- Cases]
    ),
    Groups = [{group, all} || Alone =:= [], Grouped =/= []],
    [{suite, Module}, {testcase, Alone ++ Grouped} | Groups].

%% A skipped case did not pass.
count({Passed, Failed, {UserSkipped, AutoSkipped}}) ->
    {Passed, Failed + UserSkipped + AutoSkipped};
count(Error) ->
    io:format("Common Test did not run: ~p~n", [Error]),
    {0, 1}.
