%%% What was published stays: over restarts, and when the index in memory is made anew from
%%% storage. kill9_SUITE is about the end of the server in the middle of it.
-module(persistence_SUITE).

-include_lib("ejabberd/include/pubsub.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    everything_outlives_a_restart/1,
    cursors_outlive_a_restart/1,
    ids_are_what_the_author_chose/1,
    forgotten_streams_are_loaded_again/1,
    posts_of_one_moment_keep_their_order/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

all() ->
    [
        everything_outlives_a_restart,
        cursors_outlive_a_restart,
        ids_are_what_the_author_chose,
        forgotten_streams_are_loaded_again,
        posts_of_one_moment_keep_their_order
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Cases

everything_outlives_a_restart(Config) ->
    Server = twitter_cases:server(Config),
    [Reader, Alice, Carol] = Users = twitter_cases:offline_friends(Config, [<<"reader">>, <<"alice">>, <<"carol">>]),
    [AliceClient, CarolClient] = [twitter_users:login(Server, User) || User <- [Alice, Carol]],
    First = twitter_requests:publish(AliceClient, <<"Demoing my Twitter-like code & \"more\" <b>">>),
    Entry = fxml_stream:parse_element(
        <<"<entry xmlns='http://www.w3.org/2005/Atom'><title>Soliloquy</title></entry>">>
    ),
    <<"entry/1">> = twitter_requests:publish(AliceClient, <<"entry/1">>, Entry),
    <<"same">> = twitter_requests:publish(CarolClient, <<"same">>, <<"first words">>),
    <<"same">> = twitter_requests:publish(AliceClient, <<"same">>, <<"alice's own">>),
    Gone = twitter_requests:publish(AliceClient, <<"a mistake">>),
    Large = twitter_cases:large(<<"snow ☃ and & "/utf8>>, 45_000),
    <<"large">> = twitter_requests:publish(CarolClient, <<"large">>, Large),
    <<"same">> = twitter_requests:publish(CarolClient, <<"same">>, <<"second words">>),
    ok = twitter_requests:retract(AliceClient, Gone),
    AliceJid = twitter_users:jid(Alice),
    CarolJid = twitter_users:jid(Carol),
    %% An edited post keeps its place.
    Expected = [
        {AliceJid, First, <<"Demoing my Twitter-like code & \"more\" <b>">>},
        {AliceJid, <<"entry/1">>, Entry},
        {CarolJid, <<"same">>, <<"second words">>},
        {AliceJid, <<"same">>, <<"alice's own">>},
        {CarolJid, <<"large">>, Large}
    ],
    Expected = twitter_cases:friends_stream(Config, Reader),
    Before = everything(Server, Users),
    ok = twitter_server:restart(Server),
    Expected = twitter_cases:friends_stream(Config, Reader),
    same(Before, everything(Server, Users)),
    %% The purged stay purged, and nobody else's go with them.
    CarolAgain = twitter_users:login(Server, Carol),
    ok = twitter_requests:purge(CarolAgain),
    ok = twitter_server:restart(Server),
    OfAlice = [Post || {Jid, _, _} = Post <- Expected, Jid =:= AliceJid],
    OfAlice = twitter_cases:friends_stream(Config, Reader),
    [] = twitter_reading:entries(twitter_users:login(Server, Carol), ?MINE).

cursors_outlive_a_restart(Config) ->
    Server = twitter_cases:server(Config),
    [Reader, Alice, Bob] = twitter_cases:offline_friends(Config, [<<"reader">>, <<"alice">>, <<"bob">>]),
    AliceClient = twitter_users:login(Server, Alice),
    BobClient = twitter_users:login(Server, Bob),
    lists:foreach(
        fun(N) ->
            Client = lists:nth(N rem 2 + 1, [AliceClient, BobClient]),
            twitter_requests:publish(Client, integer_to_binary(N), <<"post">>)
        end,
        lists:seq(1, 20)
    ),
    ReaderClient = twitter_users:login(Server, Reader),
    Whole = posts(ReaderClient, ?FRIENDS),
    20 = length(Whole),
    {Start, #{last := After}} = twitter_reading:page(ReaderClient, ?FRIENDS, #{max => 8}),
    {End, #{first := Before}} =
        twitter_reading:page(ReaderClient, ?FRIENDS, #{max => 8, before => <<>>}),
    {Own, #{last := OwnAfter}} = twitter_reading:page(AliceClient, ?MINE, #{max => 3}),
    %% A cursor stays good although the post it was made for goes, before the restart
    {_, Eighth} = lists:last(Start),
    ok = twitter_requests:retract(AliceClient, Eighth),
    ok = twitter_server:restart(Server),
    %% or after it.
    {_, Thirteenth} = hd(End),
    ok = twitter_requests:retract(twitter_users:login(Server, Bob), Thirteenth),
    Later = twitter_users:login(Server, Reader),
    AliceAgain = twitter_users:login(Server, Alice),
    {Rest, _} = twitter_reading:page(Later, ?FRIENDS, #{max => 50, 'after' => After}),
    Rest = lists:nthtail(8, Whole) -- [hd(End)],
    {Head, _} = twitter_reading:page(Later, ?FRIENDS, #{max => 50, before => Before}),
    Head = lists:sublist(Whole, 12) -- [lists:last(Start)],
    {OwnRest, _} = twitter_reading:page(AliceAgain, ?MINE, #{max => 50, 'after' => OwnAfter}),
    OwnRest = posts(AliceAgain, ?MINE) -- Own,
    6 = length(OwnRest).

%% Characters that mean something to a database, or to somebody who writes for it. Some are in one request.
ids_are_what_the_author_chose(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Ids = [
        <<"<&'>">>, <<"it''s">>, <<"'">>, <<"\\">>, <<"\\n">>, <<"\"">>, <<"{a,\"b\"}">>, <<"%27">>, <<"%">>, <<"_">>, <<"NULL">>, <<"*">>,
        <<"a b">>, <<"a  b">>, <<"A">>, <<"a">>, <<"ä"/utf8>>, <<"👍"/utf8>>, <<"$1">>, <<"?">>, <<"--">>
    ],
    [Id = twitter_requests:publish(Alice, Id, <<"Hello">>) || Id <- Ids],
    Everything = fun() ->
        ok = twitter_cases:forget(Config, twitter_client:bare(Alice)),
        {twitter_reading:ids(Bob, ?FRIENDS), twitter_reading:ids(Bob, ?FRIENDS, #{ids => lists:sublist(Ids, 3)})}
    end,
    ?assertEqual({Ids, lists:sublist(Ids, 3)}, Everything()),
    %% The oldest ones go.
    ok = twitter_server:reload(Server, #{twitter => #{max_posts => 15}}),
    _ = twitter_requests:publish(Alice, <<"last">>, <<"Hello">>),
    Left = lists:nthtail(length(Ids) - 14, Ids),
    {Newest, []} = Everything(),
    ?assertEqual(Left ++ [<<"last">>], Newest),
    [ok = twitter_requests:retract(Alice, Id) || Id <- Left],
    ?assertEqual({[<<"last">>], []}, Everything()),
    ok = twitter_server:reload(Server, #{twitter => #{}}).

forgotten_streams_are_loaded_again(Config) ->
    Server = twitter_cases:server(Config),
    [Reader, Alice, Bob] = Users = twitter_cases:offline_friends(Config, [<<"reader">>, <<"alice">>, <<"bob">>]),
    AliceClient = twitter_users:login(Server, Alice),
    BobClient = twitter_users:login(Server, Bob),
    lists:foreach(
        fun(N) ->
            _ = twitter_requests:publish(AliceClient, integer_to_binary(N rem 7), <<"a">>),
            _ = twitter_requests:publish(BobClient, <<"b">>),
            N rem 3 =:= 0 andalso twitter_requests:retract(AliceClient, integer_to_binary(N rem 7))
        end,
        lists:seq(1, 15)
    ),
    Before = everything(Server, Users),
    19 = length(twitter_cases:friends_stream(Config, Reader)),
    lists:foreach(fun(Author) -> twitter_cases:forget(Config, twitter_users:jid(Author)) end, [Alice, Bob]),
    same(Before, everything(Server, Users)).

%% Several posts of one microsecond stand in some order, and it is the same for pages of any
%% size and after a restart.
posts_of_one_moment_keep_their_order(Config) ->
    Server = twitter_cases:server(Config),
    [Reader, Alice, Bob] = twitter_cases:offline_friends(Config, [<<"reader">>, <<"alice">>, <<"bob">>]),
    Authors = [{Author, twitter_users:login(Server, Author)} || Author <- [Alice, Bob]],
    Ids = [twitter_requests:publish(Client, <<"tick">>) || {_, Client} <- Authors ++ Authors ++ Authors],
    Publishers = [twitter_users:jid(Author) || {Author, _} <- Authors ++ Authors ++ Authors],
    [stamp(Server, Publisher, Id, {1600, 0, 0}) || {Publisher, Id} <- lists:zip(Publishers, Ids)],
    lists:foreach(fun(Author) -> twitter_cases:forget(Config, twitter_users:jid(Author)) end, [Alice, Bob]),
    Before = twitter_cases:friends_stream(Config, Reader),
    [] = lists:sort(Ids) -- lists:sort([Id || {_, Id, _} <- Before]),
    6 = length(Before),
    ok = twitter_server:restart(Server),
    ReaderClient = twitter_users:login(Server, Reader),
    [Before = twitter_reading:stream(ReaderClient, ?FRIENDS, Size) || Size <- [1, 4, 6]],
    ok.

%%% Helpers

posts(Client, Node) ->
    lists:append(twitter_reading:pages(Client, Node, {forward, 6})).

%% All that these users can read, by every way there is.
everything(Server, Users) ->
    [{User, everything_of(twitter_users:login(Server, User))} || User <- Users].

everything_of(Client) ->
    Friends = twitter_reading:rows(Client, <<"/twitter/MyFriends">>),
    Streams = [?MINE, ?FRIENDS | [Node || {Node, _} <- Friends]],
    Everything = [
        {Stream, Rows, twitter_reading:stream(Client, Stream, 3), [
            twitter_reading:entries(Client, Node)
         || {Node, _} <- Rows
        ]}
     || Stream <- Streams, Rows <- [twitter_reading:rows(Client, Stream)]
    ],
    ok = twitter_client:close(Client),
    {Friends, Everything}.

same(Expected, Expected) -> ok;
same(Expected, Found) -> error({different, Expected, Found}).

%% Makes a stored post one of another moment.
stamp(Server, Author, Id, Moment) ->
    #pubsub_item{creation = {_, Publisher}} = Item = twitter_stored:post(Server, Author, Id),
    ok = twitter_stored:write(Server, Item#pubsub_item{creation = {Moment, Publisher}}).
