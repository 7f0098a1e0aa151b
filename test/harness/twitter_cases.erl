%%% What most suites need around their cases: one server for all of them, and clients
%%% of fresh users who share presence.
-module(twitter_cases).

-export([start/1, start/2, stop/1, server/1]).
-export([no_error_was_logged/1, no_error_but_of_killed_processes/1]).
-export([friends/2, offline_friends/2, strangers/2, circle/1, chat/2, streams/2, friends_stream/2, large/2]).
-export([user/1, set_contact/4, rename/4]).
-export([together/1, forget/2, hooked/4]).

-type config() :: [{atom(), term()}].

%% @doc For init_per_suite: a server with the plugin.
-spec start(config()) -> config().
start(Config) ->
    start(Config, #{}).

-spec start(config(), map()) -> config().
start(Config, Options) ->
    {ok, Server} = twitter_server:start(Options#{dir => proplists:get_value(priv_dir, Config)}),
    [{server, Server} | Config].

-spec stop(config()) -> ok.
stop(Config) ->
    twitter_server:stop(server(Config)).

-spec server(config()) -> twitter_server:server().
server(Config) ->
    proplists:get_value(server, Config).

%% @doc Clients of fresh users; the first shares presence with all others, and the
%% others do not know each other.
-spec friends(config(), [Name :: binary()]) -> [twitter_client:client()].
friends(Config, Names) ->
    [twitter_users:login(server(Config), User) || User <- offline_friends(Config, Names)].

%% @doc The same users, without clients.
-spec offline_friends(config(), [Name :: binary()]) -> [twitter_client:user()].
offline_friends(Config, Names) ->
    Server = server(Config),
    [First | Others] = Users = [twitter_users:fresh(Server, Name) || Name <- Names],
    lists:foreach(fun(Other) -> ok = twitter_users:befriend(Server, First, Other) end, Others),
    Users.

%% @doc Clients of fresh users who do not know each other.
-spec strangers(config(), [Name :: binary()]) -> [twitter_client:client()].
strangers(Config, Names) ->
    lists:append([friends(Config, [Name]) || Name <- Names]).

%% @doc A reader, and three friends of his who do not know each other.
-spec circle(config()) -> {twitter_client:client(), [twitter_client:client()]}.
circle(Config) ->
    Names = [<<"alice">>, <<"bob">>, <<"carol">>, <<"dave">>],
    [Reader | Friends] = friends(Config, Names),
    {Reader, Friends}.

%% @doc The authors publish in turn, so many posts each, all under the ids 1, 2 and so on.
%% Returns the posts, oldest first.
-spec chat([twitter_client:client()], Rounds :: pos_integer()) -> [twitter_answers:post()].
chat(Authors, Rounds) ->
    [
        Post
     || Number <- lists:seq(1, Rounds),
        Author <- Authors,
        Post <- twitter_requests:publish_all(Author, [integer_to_binary(Number)])
    ].

%% @doc Where the posts of an author stand, for himself and for his only friend.
-spec streams(Friend :: twitter_client:client(), Author :: twitter_client:client()) ->
    [{Reader :: twitter_client:client(), Node :: binary()}].
streams(Friend, Author) ->
    Jid = twitter_client:bare(Author),
    [
        {Author, <<"/twitter/MyStream">>},
        {Friend, <<"/twitter/FriendsStream">>},
        {Friend, <<"/twitter/MyFriends/", Jid/binary>>}
    ].

%% @doc What a user who comes for it alone finds in FriendsStream.
-spec friends_stream(config(), twitter_client:user()) -> [twitter_answers:entry()].
friends_stream(Config, Reader) ->
    Client = twitter_users:login(server(Config), Reader),
    Stream = twitter_reading:stream(Client, <<"/twitter/FriendsStream">>),
    ok = twitter_client:close(Client),
    Stream.

%% @doc A text of about that many bytes.
-spec large(Words :: binary(), Bytes :: pos_integer()) -> binary().
large(Words, Bytes) ->
    binary:copy(Words, Bytes div byte_size(Words) + 1).

%% @doc Whose client it is.
-spec user(twitter_client:client()) -> twitter_client:user().
user(Client) ->
    list_to_tuple(binary:split(twitter_client:bare(Client), <<"@">>)).

%% @doc Sets one side of a relation, as twitter_users:set_contact/4 does.
-spec set_contact(
    config(), twitter_client:client(), Contact :: binary(), none | from | to | both
) -> ok.
set_contact(Config, Client, Contact, Subscription) ->
    twitter_users:set_contact(server(Config), user(Client), Contact, Subscription).

%% @doc Gives a friend a name in the client's roster.
-spec rename(config(), twitter_client:client(), Friend :: binary(), Name :: binary()) -> ok.
rename(Config, Client, Friend, Name) ->
    twitter_users:set_contact(server(Config), user(Client), Friend, both, Name).

%% @doc For a last case: nothing that the others sent made the server complain.
-spec no_error_was_logged(config()) -> ok.
no_error_was_logged(Config) ->
    no_error(twitter_server:log(server(Config))).

%% @doc The same where cases have killed processes: supervisors say so.
-spec no_error_but_of_killed_processes(config()) -> ok.
no_error_but_of_killed_processes(Config) ->
    no_error(twitter_log:without_killed(twitter_server:log(server(Config)))).

no_error(Log) ->
    {_, _} = binary:match(Log, <<"[info]">>),
    case twitter_log:errors(Log) of
        [] -> ok;
        [Error | _] -> error({logged, binary:part(Error, 0, min(500, byte_size(Error)))})
    end.

%% @doc Runs all of them at the same moment, each in a process of its own; returns what they
%% return.
-spec together([fun(() -> Result)]) -> [Result].
together(Funs) ->
    Workers = [
        spawn_monitor(fun() ->
            receive
                go -> exit({done, Fun()})
            end
        end)
     || Fun <- Funs
    ],
    lists:foreach(fun({Pid, _}) -> Pid ! go end, Workers),
    [
        receive
            {'DOWN', Ref, process, Pid, {done, Result}} -> Result;
            {'DOWN', Ref, process, Pid, Reason} -> error(Reason)
        end
     || {Pid, Ref} <- Workers
    ].

%% @doc Makes the server forget an author's stream: who asks next gets it from storage.
-spec forget(config(), Author :: binary()) -> ok.
forget(Config, Author) ->
    ok = twitter_server:call(server(Config), twitter_index, forget, [<<"pubsub.localhost">>, Author]).

%% @doc Calls that function of a suite in a hook of the first vhost, while `Fun' runs.
-spec hooked(config(), Hook :: atom(), {module(), Function :: atom()}, fun(() -> Result)) -> Result.
hooked(Config, Hook, {Module, Function}, Fun) ->
    Server = server(Config),
    Args = [Hook, hd(twitter_server:hosts(Server)), Module, Function, 60],
    true = twitter_server:call(Server, code, add_patha, [filename:dirname(code:which(Module))]),
    ok = twitter_server:call(Server, ejabberd_hooks, add, Args),
    try
        Fun()
    after
        ok = twitter_server:call(Server, ejabberd_hooks, delete, Args)
    end.
