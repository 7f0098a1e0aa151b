%%% @doc The plugin's texts in other languages than English, given to ejabberd's own translation mechanism:
%%% whatever goes through `translate:translate/2' is in the language of who asks.
%%%
%%% They are files as ejabberd's own, `priv/twitter_msgs/LANGUAGE.msg' beside the native library (in a folder of
%%% another name: `ejabberdctl module_install' of 23.01 copies priv over ejabberd's own). What they hold is put
%%% into ejabberd's table, which is public; what that says itself stays. ejabberd empties the table when it
%%% reads its own files anew, and tells nobody: so each request looks whether the words are still there.
-module(twitter_words).

-include_lib("ejabberd/include/logger.hrl").

-export([learn/0, refresh/0, forget/0]).

-type word() :: {{Lang :: binary(), English :: binary()}, Translated :: binary()}.

%% Of ejabberd.
-define(TABLE, translations).

%% @doc Reads the files, and makes their words known; more than once does no harm. A file that cannot be read
%% costs its language, and a line in the log.
-spec learn() -> ok.
learn() ->
    alone(fun() ->
                  case persistent_term:get(?MODULE, none) of
                      none -> add(lists:flatmap(fun read/1, files()));
                      _ -> ok
                  end
          end).

%% @doc Makes the words known again, if ejabberd has forgotten them. Cost, if not: one look into a table.
-spec refresh() -> ok.
refresh() ->
    case persistent_term:get(?MODULE, none) of
        {_, [{Key, _} | _]} ->
            case is_known(Key) of
                true -> ok;
                false -> alone(fun again/0)
            end;
        _ ->
            ok
    end.

%% Somebody else may have done so, or the plugin may have been stopped meanwhile.
again() ->
    case persistent_term:get(?MODULE, none) of
        {All, [{Key, _} | _]} ->
            case is_known(Key) of
                true -> ok;
                false -> add(All)
            end;
        _ ->
            ok
    end.

%% @doc Takes out what was put in.
-spec forget() -> ok.
forget() ->
    alone(fun() ->
                  {_, Ours} = persistent_term:get(?MODULE, {[], []}),
                  _ = persistent_term:erase(?MODULE),
                  lists:foreach(fun(Word) -> on_table(fun() -> ets:delete_object(?TABLE, Word) end, true) end, Ours)
          end).

%% All, and those of them that ejabberd has not itself.
add(All) ->
    Ours = [Word || Word <- All, on_table(fun() -> ets:insert_new(?TABLE, Word) end, false)],
    persistent_term:put(?MODULE, {All, Ours}).

is_known(Key) ->
    on_table(fun() -> ets:member(?TABLE, Key) end, true).

%% ejabberd's process that has the table may be starting anew.
on_table(Fun, Otherwise) ->
    try
        Fun()
    catch
        error:badarg -> Otherwise
    end.

%% One after the other, on this node.
alone(Fun) ->
    global:trans({?MODULE, self()}, Fun, [node()]).

files() ->
    Priv = filename:join(filename:dirname(filename:dirname(code:which(?MODULE))), "priv"),
    case filelib:wildcard(filename:join([Priv, "twitter_msgs", "*.msg"])) of
        [] ->
            ?WARNING_MSG("There are no translations in ~ts: all texts of the microblogs are English",
                         [filename:join(Priv, "twitter_msgs")]),
            [];
        Files ->
            Files
    end.

-spec read(file:filename_all()) -> [word()].
read(File) ->
    Lang = string:lowercase(unicode:characters_to_binary(filename:basename(File, ".msg"))),
    try
        {ok, Pairs} = file:consult(File),
        [{{Lang, text(English)}, text(Translated)} || {English, Translated} <- Pairs]
    catch
        error:Reason ->
            ?ERROR_MSG("The translations in ~ts cannot be read, so that language is English: ~0tp", [File, Reason]),
            []
    end.

text(Text) ->
    Binary = unicode:characters_to_binary(Text),
    true = is_binary(Binary),
    Binary.
