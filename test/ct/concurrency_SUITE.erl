%%% Many write at the same moment: every request is answered by a result, and index and storage
%%% agree on what came of it.
-module(concurrency_SUITE).

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    first_posts_at_the_same_moment/1,
    one_author_writes_from_many_clients/1,
    one_author_publishes_and_purges/1,
    one_author_publishes_beyond_the_limit/1
]).

-define(SERVICE, <<"pubsub.localhost">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

all() ->
    [
        first_posts_at_the_same_moment,
        one_author_writes_from_many_clients,
        one_author_publishes_and_purges,
        one_author_publishes_beyond_the_limit
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{twitter => #{max_posts => 100}}).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Cases

%% Each first post makes a node; many at the same moment must not stand in each other's way.
first_posts_at_the_same_moment(Config) ->
    Server = twitter_cases:server(Config),
    Reader = twitter_users:fresh(Server, <<"reader">>),
    Authors = [twitter_users:fresh(Server, <<"author">>) || _ <- lists:seq(1, 12)],
    [ok = twitter_users:befriend(Server, Reader, Author) || Author <- Authors],
    Clients = [twitter_users:login(Server, Author) || Author <- Authors],
    Ids = at_once([fun() -> twitter_requests:publish(Client, <<"hi">>) end || Client <- Clients]),
    Found = twitter_reading:stream(twitter_users:login(Server, Reader), ?FRIENDS),
    true = lists:sort(Ids) =:= lists:sort([Id || {_, Id, _} <- Found]).

one_author_writes_from_many_clients(Config) ->
    Server = twitter_cases:server(Config),
    Author = twitter_users:fresh(Server, <<"author">>),
    Clients = [First | _] = [twitter_users:login(Server, Author) || _ <- lists:seq(1, 4)],
    %% Also the author's very first post is written by several at once.
    Lists = at_once([
        fun() ->
            Ids = [twitter_requests:publish(Client, integer_to_binary(N)) || N <- lists:seq(1, 15)],
            _ = twitter_requests:publish(Client, <<"shared">>, <<"the last one stays">>),
            ok = twitter_requests:retract(Client, hd(Ids)),
            tl(Ids)
        end
     || Client <- Clients
    ]),
    Stream = twitter_reading:stream(First, ?MINE),
    [] = lists:sort([<<"shared">> | lists:append(Lists)]) -- [Id || {_, Id, _} <- Stream],
    57 = length(Stream),
    %% What one client wrote is in its order.
    [Ids = [Id || {_, Id, _} <- Stream, lists:member(Id, Ids)] || Ids <- Lists],
    ok = agrees_with_storage(Server, Author, First).

one_author_publishes_and_purges(Config) ->
    Server = twitter_cases:server(Config),
    Author = twitter_users:fresh(Server, <<"author">>),
    Clients = [First | _] = [twitter_users:login(Server, Author) || _ <- lists:seq(1, 4)],
    _ = at_once(
        [
            fun() -> [twitter_requests:publish(Client, <<"hi">>) || _ <- lists:seq(1, 15)] end
         || Client <- tl(Clients)
        ] ++ [fun() -> [ok = twitter_requests:purge(First) || _ <- lists:seq(1, 8)] end]
    ),
    ok = agrees_with_storage(Server, Author, First),
    ok = twitter_requests:purge(First),
    [] = twitter_reading:stream(First, ?MINE),
    ok = agrees_with_storage(Server, Author, First).

one_author_publishes_beyond_the_limit(Config) ->
    Server = twitter_cases:server(Config),
    Author = twitter_users:fresh(Server, <<"author">>),
    Clients = [First | _] = [twitter_users:login(Server, Author) || _ <- lists:seq(1, 4)],
    _ = at_once([
        fun() -> [twitter_requests:publish(Client, <<"hi">>) || _ <- lists:seq(1, 30)] end
     || Client <- Clients
    ]),
    100 = length(twitter_reading:stream(First, ?MINE)),
    ok = agrees_with_storage(Server, Author, First).

%%% Helpers

%% Calls all of them at the same moment; what one raises is raised here.
at_once(Funs) ->
    Caller = self(),
    Workers = [
        spawn_link(fun() ->
            receive
                go -> Caller ! {done, self(), Fun()}
            end
        end)
     || Fun <- Funs
    ],
    lists:foreach(fun(Worker) -> Worker ! go end, Workers),
    [
        receive
            {done, Worker, Result} -> Result
        end
     || Worker <- Workers
    ].

%% The same stream from memory and, when that is forgotten, from storage.
agrees_with_storage(Server, Author, Client) ->
    FromMemory = twitter_reading:stream(Client, ?MINE),
    ok = twitter_server:call(Server, twitter_index, forget, [?SERVICE, twitter_users:jid(Author)]),
    FromMemory = twitter_reading:stream(Client, ?MINE),
    ok.
