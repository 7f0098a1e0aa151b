#!/usr/bin/env escript
%%! +sbtu
%%% words.escript: whether every text that a user may see, ?T("…") in the plugin's sources, is there in each
%%% language of erlang_src/msgs, unless ejabberd has it itself; with the same format directives; and whether
%%% nothing else is there. Says what is wrong. Started by `make check`, which sets ERL_LIBS.

-mode(compile).

-define(SOURCES, "erlang_src").
-define(LANGUAGES, ["de", "es", "fr"]).

main([]) ->
    ok = io:setopts([{encoding, unicode}]),
    English = lists:usort(lists:flatmap(fun texts/1, filelib:wildcard(?SOURCES ++ "/*/*.erl"))),
    Files = [filename:basename(File, ".msg") || File <- filelib:wildcard(?SOURCES ++ "/msgs/*")],
    Faults = [{"files", Files} || Files =/= ?LANGUAGES] ++ [{"texts in the sources", none} || English =:= []]
        ++ lists:append([faults(Language, English) || Language <- ?LANGUAGES]),
    lists:foreach(fun({What, Text}) -> io:format("~ts: ~tp~n", [What, Text]) end, Faults),
    halt(min(length(Faults), 1)).

faults(Language, English) ->
    Ours = words(filename:join([?SOURCES, "msgs", Language ++ ".msg"])),
    Stock = words(filename:join([code:lib_dir(ejabberd), "priv", "msgs", Language ++ ".msg"])),
    Keys = [Key || {Key, _} <- Ours],
    Say = fun(What, Texts) -> [{Language ++ ": " ++ What, Text} || Text <- Texts] end,
    Say("not translated", English -- [Key || {Key, _} <- Ours ++ Stock])
        ++ Say("in no source", Keys -- English)
        ++ Say("more than once", Keys -- lists:usort(Keys))
        ++ Say("says nothing", [Key || {Key, Text} <- Ours, string:is_empty(string:trim(Text))])
        ++ Say("other format directives", [Key || {Key, Text} <- Ours, directives(Key) =/= directives(Text)])
        ++ Say("a line break at an end", [Key || {Key, Text} <- Ours, string:trim(Text) =/= Text]).

words(File) ->
    {ok, Words} = file:consult(File),
    [{_, _} | _] = Words.

%% In their order: arguments come in that of the English text.
directives(Text) ->
    case re:run(Text, "~[^a-zA-Z~]*(?:t?[a-zA-Z]|~)", [global, unicode, {capture, all, list}]) of
        {match, Found} -> Found;
        nomatch -> []
    end.

%% The documentation of options is read by admins, and ejabberd's own is English.
texts(File) ->
    {ok, Source} = file:read_file(File),
    {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Source)),
    lists:append([in_form(File, Form) || Form <- forms(Tokens), not is_documentation(Form)]).

forms([]) ->
    [];
forms(Tokens) ->
    {Form, Rest} = lists:splitwith(fun(Token) -> element(1, Token) =/= dot end, Tokens),
    [Form | forms(lists:nthtail(min(1, length(Rest)), Rest))].

is_documentation([{atom, _, mod_doc} | _]) -> true;
is_documentation(_) -> false.

in_form(File, [{'?', _}, {var, _, 'T'}, {'(', Line} | Rest]) ->
    case lists:splitwith(fun(Token) -> element(1, Token) =:= string end, Rest) of
        {[_ | _] = Parts, [{')', _} | After]} ->
            [lists:append([Part || {string, _, Part} <- Parts]) | in_form(File, After)];
        _ ->
            io:format("~ts:~tp: ?T of something that is no text~n", [File, Line]),
            halt(1)
    end;
in_form(File, [_ | Rest]) ->
    in_form(File, Rest);
in_form(_File, []) ->
    [].
