#!/usr/bin/env escript
%%! +sbtu +Bd
%%% run.escript [OPTIONS]: posts brought to their readers and read by them, by this plugin and by
%%% others, over real connections. `--help' says more.
%%%
%%% `make bench-server' builds what it needs and starts it. All it writes while it runs goes to a folder
%%% of its own below _build/bench, which is gone when the run ends well.

-mode(compile).

-define(LIBS, "_build/ejabberd_libs").
-define(PLUGIN, "_build/default/lib/ejabberd_twitter/ebin").
-define(OURS, "bench/end_to_end").
%% The private servers of the tests.
-define(HARNESS, "test/harness").
-define(SHARED, ["twitter_server", "twitter_config", "twitter_node", "twitter_yaml"]).

main(Args) ->
    ok = io:setopts([{encoding, unicode}]),
    %% Whoever ends this program ends the servers with it, which read from its pipes.
    ok = os:set_signal(sigterm, default),
    Root = filename:dirname(filename:dirname(filename:dirname(filename:absname(escript:script_name())))),
    ok = file:set_cwd(Root),
    true = os:putenv("ERL_LIBS", filename:absname(?LIBS)),
    ok = code:add_pathsz(filelib:wildcard(filename:absname(?LIBS) ++ "/*/ebin")),
    _ = code:add_patha(filename:absname(?PLUGIN)),
    Dir = filename:absname(filename:join(["_build", "bench", os:getpid()])),
    %% What runs that failed have left.
    _ = [
        file:del_dir_r(Old)
     || Old <- filelib:wildcard("_build/bench/*"),
        not filelib:is_dir(filename:join("/proc", filename:basename(Old)))
    ],
    Beams = filename:join(Dir, "beams"),
    ok = filelib:ensure_dir(filename:join(Beams, "x")),
    true = code:add_patha(Beams),
    Sources =
        [filename:join(?HARNESS, Name ++ ".erl") || Name <- ?SHARED] ++
            filelib:wildcard(?OURS ++ "/*.erl"),
    Options = [debug_info, report, {outdir, Beams}],
    [{ok, _} = compile:file(Source, Options) || Source <- Sources],
    Status = bench_main:run(Args, Dir),
    case Status of
        0 -> ok = file:del_dir_r(Dir);
        _ -> io:format(standard_error, "The servers' logs are in ~ts~n", [Dir])
    end,
    halt(Status).
