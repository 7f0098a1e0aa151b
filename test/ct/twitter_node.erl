%%% The Erlang node of a private server: its files, and the command that starts it.
-module(twitter_node).

-export([folder/1, log_file/1, config_file/1, command/1, arguments/1, environment/1]).

-type options() :: twitter_server:options().

%% @doc Where everything of the server is kept.
-spec folder(options()) -> file:filename_all().
folder(#{dir := Dir, name := Name}) ->
    filename:join(Dir, Name).

-spec log_file(options()) -> file:filename_all().
log_file(Options) ->
    filename:join([folder(Options), "log", "console.log"]).

-spec config_file(options()) -> file:filename_all().
config_file(Options) ->
    filename:join(folder(Options), "ejabberd.yml").

%% @doc What starts Erlang. Standard output is the connection to the peer; standard error goes
%% to the log.
-spec command(options()) -> {Program :: string(), Args :: [string()]}.
command(Options) ->
    Shell = os:find_executable("sh"),
    Erl = os:find_executable("erl"),
    {Shell, ["-c", "exec \"$@\" 2>>\"$0\"", unicode:characters_to_list(log_file(Options)), Erl]}.

-spec arguments(options()) -> [string()].
arguments(Options) ->
    Spool = filename:join(folder(Options), "spool"),
    Plugin = [Option || true <- [maps:get(plugin, Options, true)], Option <- ["-pa", plugin_ebin()]],
    ["-mnesia", "dir", lists:flatten(io_lib:format("~p", [unicode:characters_to_list(Spool)]))] ++ Plugin.

-spec environment(options()) -> [{string(), string() | false}].
environment(Options) ->
    Folder = folder(Options),
    [
        {"EJABBERD_CONFIG_PATH", unicode:characters_to_list(config_file(Options))},
        {"EJABBERD_LOG_PATH", unicode:characters_to_list(filename:join([Folder, "log", "ejabberd.log"]))},
        {"SPOOL_DIR", unicode:characters_to_list(filename:join(Folder, "spool"))},
        {"ERL_CRASH_DUMP", unicode:characters_to_list(filename:join(Folder, "erl_crash.dump"))}
        | maps:get(env, Options, [])
    ].

%% The runner of the suites puts the plugin's ebin on the path of its own node.
plugin_ebin() ->
    case code:lib_dir(ejabberd_twitter) of
        {error, bad_name} -> error("the plugin is not on the code path: run make build");
        Dir -> filename:absname(filename:join(Dir, "ebin"))
    end.
