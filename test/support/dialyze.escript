#!/usr/bin/env escript
%%! +sbtu
%%% dialyze.escript BEAM...: runs dialyzer over the plugin's beams.
%%%
%%% What it knows of the world is a PLT of the modules of OTP and ejabberd that the
%%% plugin calls or takes types from, and of those that these take types from. It is
%%% cached in _build/plt and made anew when one of these modules changes. All of
%%% ejabberd would take ten times as long, and tell nothing more.

-mode(compile).

-define(CACHE, "_build/plt").
%% Everything dialyzer warns of by default, and these. Not missing_return: it doubts
%% whatever passes through a function of ejabberd that has no exact type.
-define(WARNINGS, [unknown, extra_return, unmatched_returns, error_handling]).

main(Beams) when Beams =/= [] ->
    Own = [list_to_atom(filename:basename(Beam, ".beam")) || Beam <- Beams],
    Direct = lists:usort(lists:flatmap(fun modules_named/1, Beams)) -- Own,
    World = close(beams(Direct), []),
    Plt = plt(World),
    All = dialyzer:run([
        {analysis_type, succ_typings}, {plts, [Plt]}, {files, Beams}, {warnings, ?WARNINGS}
    ]),
    %% What ejabberd's own types lack is not ours to mend.
    Sources = [filename:basename(Beam, ".beam") ++ ".erl" || Beam <- Beams],
    case [W || {_, {File, _}, _} = W <- All, lists:member(filename:basename(File), Sources)] of
        [] ->
            io:format("dialyzer: no warnings (~b modules, ~b around them)~n", [length(Beams), length(World)]);
        Warnings ->
            _ = [io:put_chars(dialyzer:format_warning(Warning, [{filename_opt, fullpath}]))
                 || Warning <- Warnings],
            halt(1)
    end.

plt(World) ->
    Digests = [{Beam, element(2, beam_lib:md5(Beam))} || Beam <- World],
    Key = erlang:phash2({erlang:system_info(otp_release), Digests}, 1 bsl 32),
    Plt = filename:absname(filename:join(?CACHE, integer_to_list(Key, 16) ++ ".plt")),
    case filelib:is_regular(Plt) of
        true ->
            ok;
        false ->
            io:format("dialyzer: learning ~b modules, once~n", [length(World)]),
            _ = file:del_dir_r(?CACHE),
            ok = filelib:ensure_dir(Plt),
            _ = dialyzer:run([
                {analysis_type, plt_build}, {files, World}, {output_plt, Plt}, {check_plt, false}
            ]),
            ok
    end,
    Plt.

%% All modules from which types are taken, however far away.
close([], Known) ->
    lists:sort(Known);
close([Beam | Rest], Known) ->
    case lists:member(Beam, Known) of
        true -> close(Rest, Known);
        false -> close(beams(types_named(Beam)) ++ Rest, [Beam | Known])
    end.

modules_named(Beam) ->
    {ok, {_, [{imports, Imports}]}} = beam_lib:chunks(Beam, [imports]),
    {ok, {_, [{attributes, Attributes}]}} = beam_lib:chunks(Beam, [attributes]),
    Behaviours = [Module || {behaviour, Modules} <- Attributes, Module <- Modules],
    [Module || {Module, _, _} <- Imports] ++ Behaviours ++ types_named(Beam).

types_named(Beam) ->
    case beam_lib:chunks(Beam, [abstract_code]) of
        {ok, {_, [{abstract_code, {_, Forms}}]}} -> lists:usort(remote_types(Forms));
        _ -> []
    end.

remote_types({remote_type, _, [{atom, _, Module}, _, Arguments]}) ->
    [Module | remote_types(Arguments)];
remote_types(Form) when is_tuple(Form) ->
    remote_types(tuple_to_list(Form));
remote_types([First | Rest]) ->
    remote_types(First) ++ remote_types(Rest);
remote_types(_) ->
    [].

%% Where they are, if they have what dialyzer reads.
beams(Modules) ->
    [Beam || Module <- Modules, Beam <- [beam(Module)], is_list(Beam), has_forms(Beam)].

beam(Module) ->
    case code:which(Module) of
        preloaded -> filename:join([code:lib_dir(erts), "ebin", atom_to_list(Module) ++ ".beam"]);
        Beam -> Beam
    end.

has_forms(Beam) ->
    case beam_lib:chunks(Beam, [abstract_code]) of
        {ok, {_, [{abstract_code, {_, _}}]}} -> true;
        _ -> false
    end.
