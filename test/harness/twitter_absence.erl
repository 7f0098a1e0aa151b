%%% A reader who comes and leaves, and what he gets then.
-module(twitter_absence).

-export([author_and_reader/1, login/2, publish/3, ids/2, title/1, await_offline/2]).

-type config() :: [{atom(), term()}].

%% @doc An author who is online, and a friend who has been online once.
-spec author_and_reader(config()) -> {twitter_client:client(), twitter_client:user()}.
author_and_reader(Config) ->
    [Alice, Bob] = twitter_cases:offline_friends(Config, [<<"alice">>, <<"bob">>]),
    ok = twitter_client:close(login(Config, Bob)),
    {login(Config, Alice), Bob}.

-spec login(config(), twitter_client:user()) -> twitter_client:client().
login(Config, User) ->
    twitter_users:login(twitter_cases:server(Config), User).

%% @doc Publishes posts under these ids; nothing of them is on its way any more.
-spec publish(config(), twitter_client:client(), Ids :: [binary()]) -> ok.
publish(Config, Client, Ids) ->
    _ = twitter_requests:publish_all(Client, Ids),
    twitter_server:settle(twitter_cases:server(Config), <<"pubsub.localhost">>).

%% @doc The posts that this session has been sent, in their order. Takes everything received.
-spec ids(config(), twitter_client:client()) -> [binary()].
ids(Config, Client) ->
    [Id || {item, _, Id, _} <- twitter_events:posts(twitter_cases:server(Config), Client)].

%% @doc What FriendsStream is called for this reader.
-spec title(twitter_client:client()) -> binary().
title(Client) ->
    Info = twitter_requests:info(Client, <<"/twitter/FriendsStream">>),
    #{<<"pubsub#title">> := [Title]} = twitter_answers:form(Info),
    Title.

%% @doc Returns when the plugin knows that he has no session.
-spec await_offline(config(), twitter_client:user()) -> ok.
await_offline(Config, User) ->
    Server = twitter_cases:server(Config),
    Jid = twitter_server:call(Server, jid, decode, [twitter_users:jid(User)]),
    case twitter_server:call(Server, twitter_sessions, of_user, [Jid]) of
        [] -> ok;
        _ -> await_offline(Config, User)
    end.
