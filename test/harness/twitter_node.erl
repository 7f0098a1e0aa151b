%%% The Erlang node of a private server: its files, and the command that starts it.
-module(twitter_node).

-export([folder/1, shown/2, log_file/1, config_file/1, command/1, arguments/1, environment/1]).

-type options() :: twitter_server:options().

%% @doc Where everything of the server is kept.
-spec folder(options()) -> file:filename_all().
folder(#{dir := Dir, name := Name}) ->
    filename:join(Dir, Name).

%% @doc How the node calls a file of its folder: in another root it has another name.
-spec shown(map(), file:filename_all()) -> file:filename_all().
shown(#{root := _}, File) -> filename:join("/mnt", filename:basename(File));
shown(_Options, File) -> File.

-spec log_file(options()) -> file:filename_all().
log_file(Options) ->
    filename:join([folder(Options), "log", "console.log"]).

-spec config_file(options()) -> file:filename_all().
config_file(Options) ->
    filename:join(folder(Options), "ejabberd.yml").

%% @doc What starts Erlang. Standard output is the connection to the peer; standard error goes
%% to the log.
-spec command(options()) -> {Program :: string(), Args :: [string()]}.
command(#{root := Root} = Options) ->
    %% Each program becomes the next one, so that this is the process of the node; what it mounts is gone with it.
    %% It keeps its files in the same folder, which is shown to it as another one.
    Script = "exec 2>>\"$0\"; mount --bind \"$1\" \"$2/mnt\"; mount --bind /proc \"$2/proc\"; mount --rbind /dev \"$2/dev\"; "
        "mount -t tmpfs tmpfs \"$2/tmp\"; ROOT=\"$2\"; shift 2; exec chroot \"$ROOT\" \"$@\"",
    Arguments = [log_file(Options), folder(Options), Root, "erl"],
    Unshare = ["--mount", "--propagation", "private", "sh", "-c", Script],
    {os:find_executable("unshare"), Unshare ++ [unicode:characters_to_list(Each) || Each <- Arguments]};
command(Options) ->
    Shell = os:find_executable("sh"),
    Erl = os:find_executable("erl"),
    {Shell, ["-c", "exec \"$@\" 2>>\"$0\"", unicode:characters_to_list(log_file(Options)), Erl]}.

-spec arguments(options()) -> [string()].
arguments(Options) ->
    Spool = filename:join(inner(Options), "spool"),
    Plugin = [Option || true <- [maps:get(plugin, Options, true)], Option <- ["-pa", plugin_ebin()]],
    ["-mnesia", "dir", lists:flatten(io_lib:format("~p", [unicode:characters_to_list(Spool)]))] ++ Plugin ++ distribution(Options).

%% It listens on loopback only, on the port that its name says, and no epmd is started: see twitter_epmd.
distribution(#{distribution := {Node, Cookie}}) ->
    ["n" ++ Port | _] = string:split(atom_to_list(Node), "@"),
    ["-start_epmd", "false", "-epmd_module", "twitter_epmd", "-pa", filename:dirname(code:which(twitter_epmd)),
     "-name", atom_to_list(Node), "-setcookie", atom_to_list(Cookie),
     "-kernel", "inet_dist_use_interface", "{127,0,0,1}",
     "-kernel", "inet_dist_listen_min", Port, "-kernel", "inet_dist_listen_max", Port];
distribution(_Options) ->
    [].

-spec environment(options()) -> [{string(), string() | false}].
environment(Options) ->
    Folder = inner(Options),
    [
        {"EJABBERD_CONFIG_PATH", unicode:characters_to_list(filename:join(Folder, "ejabberd.yml"))},
        {"EJABBERD_LOG_PATH", unicode:characters_to_list(filename:join([Folder, "log", "ejabberd.log"]))},
        {"SPOOL_DIR", unicode:characters_to_list(filename:join(Folder, "spool"))},
        {"ERL_CRASH_DUMP", unicode:characters_to_list(filename:join(Folder, "erl_crash.dump"))}
        | [{"ERL_LIBS", libraries(Root)} || Root <- maps:values(maps:with([root], Options))] ++ maps:get(env, Options, [])
    ].

%% The folder, as the node calls it.
inner(#{root := _}) -> "/mnt";
inner(Options) -> folder(Options).

libraries(Root) ->
    Beams = filelib:wildcard("usr/lib/*/ejabberd-*/ebin/ejabberd.beam", Root),
    %% The same under two names, as a link.
    [Libraries] = lists:usort([filename:dirname(filename:dirname(filename:dirname(Beam))) || Beam <- Beams]),
    filename:join("/", Libraries).

%% The runner of the suites puts the plugin's ebin on the path of its own node.
plugin_ebin() ->
    case code:lib_dir(ejabberd_twitter) of
        {error, bad_name} -> error("the plugin is not on the code path: run make build");
        Dir -> filename:absname(filename:join(Dir, "ebin"))
    end.
