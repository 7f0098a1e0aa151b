#!/usr/bin/env escript
%%! +sbtu
%%% crossing.escript FILE [--quick]: what it costs to cross into the NIF, beside ETS, and how long its
%%% longest calls take. Needs the plugin, but no ejabberd. Writes JSON to FILE; `make bench-core' makes
%%% tables of it.

-mode(compile).

-define(LIBS, "_build/ejabberd_libs").
-define(PLUGIN, "_build/default/lib/ejabberd_twitter/ebin").
-define(SOURCES, ["bench/crossing/*.erl", "bench/end_to_end/bench_stats.erl"]).

main([File | Options]) when Options =:= []; Options =:= ["--quick"] ->
    ok = io:setopts([{encoding, unicode}]),
    Output = filename:absname(File),
    Root = filename:dirname(filename:dirname(filename:dirname(filename:absname(escript:script_name())))),
    ok = file:set_cwd(Root),
    ok = code:add_pathsz(filelib:wildcard(filename:absname(?LIBS) ++ "/*/ebin")),
    _ = code:add_patha(filename:absname(?PLUGIN)),
    Sources = lists:append([filelib:wildcard(Pattern) || Pattern <- ?SOURCES]),
    lists:foreach(fun load/1, Sources),
    Results = measured(Options =:= ["--quick"]),
    ok = filelib:ensure_dir(Output),
    ok = file:write_file(Output, [jiffy:encode(Results), $\n]);
main(_) ->
    io:put_chars(standard_error, "usage: crossing.escript FILE [--quick]\n"),
    halt(1).

load(Source) ->
    {ok, Module, Beam} = compile:file(Source, [binary, report]),
    {module, Module} = code:load_binary(Module, Source, Beam).

measured(Quick) ->
    Options =
        case Quick of
            true -> #{quick => true, series => 3, series_ms => 20};
            false -> #{quick => false, series => 7, series_ms => 200}
        end,
    %% The longest of few, each of which takes long.
    Few = Options#{series := 3},
    {Page, Memory} = crossing_page:all(Options),
    Pairs = crossing_pairs:all(Options) ++ Page,
    {ChangesOfOnline, Normal} = lists:partition(fun is_dirty/1, crossing_normal:all(Few)),
    Dirty = ChangesOfOnline ++ crossing_dirty:all(Few),
    #{
        quick => Quick,
        series => Options,
        pairs => Pairs,
        memory => Memory,
        normal => Normal,
        dirty => Dirty
    }.

%% They are measured with what reads the same.
is_dirty(#{name := Name}) -> lists:member(Name, [arrive, leave]).
