%%% What the microblog costs a database: how many statements. With Mnesia this runs on SQLite all the same.
%%% ejabberd's caches are on, as they are unless an admin turns them off, but in the last cases.
-module(queries_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([
    queries_are_counted/1,
    a_warm_page_needs_none/1,
    a_post_costs_the_same_for_many_followers/1,
    a_post_costs_the_same_among_many_posts/1,
    a_stream_that_is_not_in_memory_costs_one/1,
    posts_that_are_not_in_memory_cost_one/1,
    without_caches_a_page_costs_the_same_for_many_friends/1,
    with_small_caches_a_page_costs_the_same_for_many_friends/1,
    without_caches_a_post_costs_a_few_for_each_follower/1,
    no_error_was_logged/1
]).

-define(SERVICE, <<"pubsub.localhost">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
%% Two transactions with beginning and end: mod_pubsub's, in which it asks for the author's node, and
%% that of twitter_sql_storage:publish/5.
-define(OF_A_POST, 10).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [
        queries_are_counted,
        a_warm_page_needs_none,
        a_post_costs_the_same_for_many_followers,
        a_post_costs_the_same_among_many_posts,
        a_stream_that_is_not_in_memory_costs_one,
        posts_that_are_not_in_memory_cost_one,
        without_caches_a_page_costs_the_same_for_many_friends,
        with_small_caches_a_page_costs_the_same_for_many_friends,
        without_caches_a_post_costs_a_few_for_each_follower,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    Storage = case twitter_database:storage() of
        mnesia -> sqlite;
        Sql -> Sql
    end,
    twitter_cases:start(Config, #{storage => Storage, modules => caches(#{use_cache => true})}).

caches(Options) ->
    maps:from_keys([mod_privacy, mod_roster], Options).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Cases

%% Else the others would not say much.
queries_are_counted(Config) ->
    Server = twitter_cases:server(Config),
    ?assertMatch([_], during(Config, fun() -> twitter_stored:rows(Server, "SELECT username FROM users") end)),
    User = twitter_users:fresh(Server, <<"alice">>),
    ?assertMatch([_ | _], during(Config, fun() -> twitter_users:login(Server, User) end)),
    ?assertMatch([_, _, _ | _], during(Config, fun() -> twitter_users:set_contact(Server, User, <<"bob@localhost">>, both) end)),
    ?assertEqual([], during(Config, fun() -> ok end)).

a_warm_page_needs_none(Config) ->
    [Reader | Friends] = twitter_cases:friends(Config, [<<"reader">>, <<"alice">>, <<"bob">>, <<"carol">>]),
    _ = twitter_cases:chat(Friends, 5),
    Read = fun() ->
        ?assertEqual(15, length(twitter_reading:ids(Reader, ?FRIENDS))),
        ?assertEqual(4, length(element(1, twitter_reading:page(Reader, ?FRIENDS, #{max => 4})))),
        ?assertEqual(15, length(twitter_reading:rows(Reader, ?FRIENDS))),
        ?assertEqual(3, length(twitter_reading:rows(Reader, <<"/twitter/MyFriends">>)))
    end,
    _ = Read(),
    ?assertEqual([], during(Config, Read)).

%% All of them are online, and get it.
a_post_costs_the_same_for_many_followers(Config) ->
    [Few, Many] = [followed(Config, Number) || Number <- [2, 200]],
    ?assertEqual({2, ?OF_A_POST}, cost(Config, Few)),
    ?assertEqual({200, ?OF_A_POST}, cost(Config, Many)).

followed(Config, Number) ->
    Names = [<<"alice">> | lists:duplicate(Number, <<"follower">>)],
    [Author | Followers] = twitter_cases:friends(Config, Names),
    %% Rosters and blocks are in ejabberd's caches from now on.
    _ = twitter_requests:publish(Author, <<"first">>),
    _ = received(Config, Followers),
    {Author, Followers}.

cost(Config, {Author, Followers}) ->
    %% What is asked in their sessions, too.
    Test = self(),
    Queries = during(Config, fun() ->
        _ = twitter_requests:publish(Author, <<"next">>),
        Test ! {received, received(Config, Followers)}
    end),
    Received = receive {received, All} -> All end,
    [twitter_client:close(Client) || Client <- [Author | Followers]],
    {length([got || [_] <- Received]), length(Queries)}.

received(Config, Followers) ->
    [twitter_events:posts(twitter_cases:server(Config), Follower) || Follower <- Followers].

a_post_costs_the_same_among_many_posts(Config) ->
    {Author, Followers} = followed(Config, 2),
    _ = twitter_requests:publish_all(Author, [integer_to_binary(N) || N <- lists:seq(1, 199)]),
    _ = received(Config, Followers),
    ?assertEqual({2, ?OF_A_POST}, cost(Config, {Author, Followers})).

%% For each author, whatever number of posts; what they say is not read for a list of ids.
a_stream_that_is_not_in_memory_costs_one(Config) ->
    [Reader | Friends] = twitter_cases:friends(Config, [<<"reader">>, <<"alice">>, <<"bob">>]),
    _ = twitter_cases:chat(Friends, 30),
    _ = twitter_reading:rows(Reader, ?FRIENDS),
    lists:foreach(
        fun(Forgotten) ->
            [ok = twitter_cases:forget(Config, twitter_client:bare(Friend)) || Friend <- Forgotten],
            Count = fun() ->
                Info = twitter_requests:info(Reader, ?FRIENDS),
                ?assertEqual(none, twitter_answers:refusal(Info)),
                {_, #{count := 60}} = twitter_reading:page(Reader, ?FRIENDS, #{max => 0})
            end,
            ?assertEqual(length(Forgotten), length(during(Config, Count)))
        end,
        [[hd(Friends)], Friends, []]
    ).

%% The page of them, not each.
posts_that_are_not_in_memory_cost_one(Config) ->
    [Reader | Friends] = twitter_cases:friends(Config, [<<"reader">>, <<"alice">>, <<"bob">>]),
    _ = twitter_cases:chat(Friends, 20),
    Read = fun(Max) -> ?assertEqual(Max, length(element(1, twitter_reading:page(Reader, ?FRIENDS, #{max => Max})))) end,
    _ = Read(40),
    [ok = twitter_cases:forget(Config, twitter_client:bare(Friend)) || Friend <- Friends],
    {_, #{count := 40}} = twitter_reading:page(Reader, ?FRIENDS, #{max => 0}),
    ?assertMatch([_], during(Config, fun() -> Read(40) end)),
    ?assertEqual([], during(Config, fun() -> Read(40) end)).

without_caches_a_page_costs_the_same_for_many_friends(Config) ->
    same_for_many_friends(Config, #{use_cache => false}, 20).

%% They have room for a few, and are full of others.
with_small_caches_a_page_costs_the_same_for_many_friends(Config) ->
    same_for_many_friends(Config, #{use_cache => true, cache_size => 5}, 20).

%% To let his session take a message costs ejabberd some, too.
without_caches_a_post_costs_a_few_for_each_follower(Config) ->
    ok = twitter_server:restart(twitter_cases:server(Config), #{modules => caches(#{use_cache => false})}),
    [{2, Few}, {20, Many}] = [cost(Config, followed(Config, Number)) || Number <- [2, 20]],
    ok = twitter_server:restart(twitter_cases:server(Config), #{modules => caches(#{use_cache => true})}),
    ?assert(Many - Few =< 5 * 18).

same_for_many_friends(Config, Caches, AtMost) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:restart(Server, #{modules => caches(Caches)}),
    Costs = [begin
        {Reader, Authors} = reader_of(Config, Number),
        Read = fun() -> ?assertEqual(lists:sort(Authors), lists:sort(twitter_reading:posts(Reader, ?FRIENDS))) end,
        _ = Read(),
        length(during(Config, Read))
    end || Number <- [10, 40]],
    ok = twitter_server:restart(Server, #{modules => caches(#{use_cache => true})}),
    ?assertMatch([Same, Same] when Same > 0 andalso Same =< AtMost, Costs).

%% A reader with so many friends; three have posted, and one of these hides from him, as does somebody who has not.
reader_of(Config, Number) ->
    [Reader, Alice, Bob, Carol, Dave | _] = twitter_cases:offline_friends(Config, lists:duplicate(Number + 1, <<"somebody">>)),
    [Client, OfAlice, OfBob, OfCarol, OfDave] =
        [twitter_users:login(twitter_cases:server(Config), User) || User <- [Reader, Alice, Bob, Carol, Dave]],
    _ = [twitter_requests:publish(Author, <<"1">>, <<"Hello">>) || Author <- [OfAlice, OfBob, OfCarol]],
    [ok = twitter_users:block(Author, twitter_users:jid(Reader)) || Author <- [OfCarol, OfDave]],
    {Client, [{twitter_users:jid(Author), <<"1">>} || Author <- [Alice, Bob]]}.

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

during(Config, Fun) ->
    Queries = twitter_queries:during(twitter_cases:server(Config), Fun),
    ct:log("~tp", [Queries]),
    Queries.
