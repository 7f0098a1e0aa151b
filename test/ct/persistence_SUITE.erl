%%% What was acknowledged stays: over restarts, over SIGKILL at the worst moment, and when
%%% the index in memory is made anew from storage.
-module(persistence_SUITE).

-include_lib("ejabberd/include/pubsub.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    everything_outlives_a_restart/1,
    each_result_is_safe_from_kill9/1,
    concurrent_authors_survive_kill9/1,
    cursors_outlive_a_restart/1,
    forgotten_streams_are_loaded_again/1,
    posts_of_one_moment_keep_their_order/1
]).

-define(SERVICE, <<"pubsub.localhost">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

all() ->
    [
        everything_outlives_a_restart,
        each_result_is_safe_from_kill9,
        concurrent_authors_survive_kill9,
        cursors_outlive_a_restart,
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
    [Reader, Alice, Carol] = Users = circle(Server, [<<"reader">>, <<"alice">>, <<"carol">>]),
    [AliceClient, CarolClient] = [twitter_users:login(Server, User) || User <- [Alice, Carol]],
    First = twitter_requests:publish(AliceClient, <<"Demoing my Twitter-like code & \"more\" <b>">>),
    Entry = fxml_stream:parse_element(
        <<"<entry xmlns='http://www.w3.org/2005/Atom'><title>Soliloquy</title></entry>">>
    ),
    <<"entry/1">> = twitter_requests:publish(AliceClient, <<"entry/1">>, Entry),
    <<"same">> = twitter_requests:publish(CarolClient, <<"same">>, <<"first words">>),
    <<"same">> = twitter_requests:publish(AliceClient, <<"same">>, <<"alice's own">>),
    Gone = twitter_requests:publish(AliceClient, <<"a mistake">>),
    Large = large(<<"snow ☃ and & "/utf8>>, 45_000),
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
    Expected = friends_stream(Server, Reader),
    Before = everything(Server, Users),
    ok = twitter_server:restart(Server),
    Expected = friends_stream(Server, Reader),
    same(Before, everything(Server, Users)),
    %% The purged stay purged, and nobody else's go with them.
    CarolAgain = twitter_users:login(Server, Carol),
    ok = twitter_requests:purge(CarolAgain),
    ok = twitter_server:restart(Server),
    OfAlice = [Post || {Jid, _, _} = Post <- Expected, Jid =:= AliceJid],
    OfAlice = friends_stream(Server, Reader),
    [] = twitter_reading:entries(twitter_users:login(Server, Carol), ?MINE).

%% Each round: one request, its result, and SIGKILL before anything else is sent.
each_result_is_safe_from_kill9(Config) ->
    Server = twitter_cases:server(Config),
    [Reader, Author] = circle(Server, [<<"reader">>, <<"author">>]),
    Jid = twitter_users:jid(Author),
    Large = large(<<"padding ">>, 50_000),
    Rounds = [
        %% The very first post makes the node too.
        {{publish, <<"1">>, <<"one">>}, [{Jid, <<"1">>, <<"one">>}]},
        {{publish, <<"2">>, Large}, [{Jid, <<"1">>, <<"one">>}, {Jid, <<"2">>, Large}]},
        {{publish, <<"1">>, <<"uno">>}, [{Jid, <<"1">>, <<"uno">>}, {Jid, <<"2">>, Large}]},
        {{retract, <<"2">>}, [{Jid, <<"1">>, <<"uno">>}]},
        {purge, []},
        {{publish, <<"2">>, <<"two">>}, [{Jid, <<"2">>, <<"two">>}]}
    ],
    lists:foreach(
        fun({Request, Expected}) ->
            Client = twitter_users:login(Server, Author),
            _ = carry_out(Client, Request),
            ok = twitter_server:kill9(Server),
            ok = twitter_server:restart(Server),
            Expected = friends_stream(Server, Reader),
            Expected = twitter_reading:entries(twitter_users:login(Server, Author), ?MINE)
        end,
        Rounds
    ).

%% Several authors write at once, as fast as they get results; the server is killed in the
%% middle of it, three times. What had a result is there, what had none is there whole or
%% not at all.
concurrent_authors_survive_kill9(Config) ->
    Server = twitter_cases:server(Config),
    Names = [<<"ann">>, <<"ben">>, <<"cat">>, <<"dan">>],
    [Reader | Authors] = circle(Server, [<<"reader">> | Names]),
    First = {publish, <<"0">>, <<"hello">>},
    [carry_out(twitter_users:login(Server, Author), First) || Author <- Authors],
    _ = lists:foldl(
        fun(Round, Models) ->
            Writers = [start_writer(Server, Author, Round) || Author <- Authors],
            await_results(40),
            ok = twitter_server:kill9(Server),
            Logs = maps:from_list([stop_writer(Writer) || Writer <- Writers]),
            ok = twitter_server:restart(Server),
            Stream = friends_stream(Server, Reader),
            maps:map(
                fun(Author, Model) ->
                    Jid = twitter_users:jid(Author),
                    Found = [{Id, Payload} || {Publisher, Id, Payload} <- Stream, Publisher =:= Jid],
                    #{Author := {Acknowledged, InFlight}} = Logs,
                    Kept = lists:foldl(fun apply_request/2, Model, Acknowledged),
                    Allowed = [Kept | [apply_request(Request, Kept) || Request <- InFlight]],
                    lists:member(Found, Allowed) orelse
                        error({lost_or_broken, Author, Found, Allowed}),
                    Found
                end,
                Models
            )
        end,
        maps:from_keys(Authors, apply_request(First, [])),
        [1, 2, 3]
    ),
    ok.

cursors_outlive_a_restart(Config) ->
    Server = twitter_cases:server(Config),
    [Reader, Alice, Bob] = circle(Server, [<<"reader">>, <<"alice">>, <<"bob">>]),
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

forgotten_streams_are_loaded_again(Config) ->
    Server = twitter_cases:server(Config),
    [Reader, Alice, Bob] = Users = circle(Server, [<<"reader">>, <<"alice">>, <<"bob">>]),
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
    19 = length(friends_stream(Server, Reader)),
    lists:foreach(fun(Author) -> forget(Server, Author) end, [Alice, Bob]),
    same(Before, everything(Server, Users)).

%% Several posts of one microsecond stand in some order, and it is the same for pages of any
%% size and after a restart.
posts_of_one_moment_keep_their_order(Config) ->
    Server = twitter_cases:server(Config),
    [Reader, Alice, Bob] = circle(Server, [<<"reader">>, <<"alice">>, <<"bob">>]),
    Authors = [{Author, twitter_users:login(Server, Author)} || Author <- [Alice, Bob]],
    Ids = [twitter_requests:publish(Client, <<"tick">>) || {_, Client} <- Authors ++ Authors ++ Authors],
    lists:foreach(fun(Id) -> stamp(Server, Id, {1600, 0, 0}) end, Ids),
    lists:foreach(fun(Author) -> forget(Server, Author) end, [Alice, Bob]),
    Before = friends_stream(Server, Reader),
    [] = lists:sort(Ids) -- lists:sort([Id || {_, Id, _} <- Before]),
    6 = length(Before),
    ok = twitter_server:restart(Server),
    ReaderClient = twitter_users:login(Server, Reader),
    [Before = twitter_reading:stream(ReaderClient, ?FRIENDS, Size) || Size <- [1, 4, 6]],
    ok.

%%% Writers

%% Writes until the connection breaks; tells the caller of each result.
start_writer(Server, Author, Round) ->
    Caller = self(),
    spawn_link(fun() ->
        Client = twitter_users:login(Server, Author),
        Prefix = integer_to_binary(Round),
        Log = write(Client, Caller, Prefix, 1, [], []),
        Caller ! {stopped, self(), Author, Log}
    end).

write(Client, Caller, Prefix, N, Live, Acknowledged) ->
    Request = next_request(Prefix, N, Live),
    try carry_out(Client, Request) of
        _ ->
            Caller ! result,
            Model = apply_request(Request, Live),
            write(Client, Caller, Prefix, N + 1, Model, [Request | Acknowledged])
    catch
        error:{connection_closed, _} -> {lists:reverse(Acknowledged), [Request]}
    end.

next_request(_Prefix, N, _Live) when N rem 23 =:= 0 -> purge;
next_request(_Prefix, N, [{Oldest, _}, _, _ | _]) when N rem 5 =:= 0 -> {retract, Oldest};
next_request(_Prefix, N, [_, {Second, _} | _]) when N rem 7 =:= 0 ->
    {publish, Second, large(<<"edited ">>, N * 50)};
next_request(Prefix, N, _Live) ->
    Number = integer_to_binary(N),
    {publish, <<Prefix/binary, "-", Number/binary>>, large(<<"text ", Number/binary, " ">>, N * 50)}.

await_results(0) ->
    ok;
await_results(Count) ->
    receive
        result -> await_results(Count - 1)
    end.

stop_writer(Writer) ->
    receive
        {stopped, Writer, Author, Log} -> {Author, Log}
    end.

carry_out(Client, {publish, Id, Payload}) -> twitter_requests:publish(Client, Id, Payload);
carry_out(Client, {retract, Id}) -> twitter_requests:retract(Client, Id);
carry_out(Client, purge) -> twitter_requests:purge(Client).

%% What a stream holds after a request.
apply_request({publish, Id, Payload}, Posts) -> lists:keystore(Id, 1, Posts, {Id, Payload});
apply_request({retract, Id}, Posts) -> lists:keydelete(Id, 1, Posts);
apply_request(purge, _Posts) -> [].

%%% Helpers

%% Users of whom the first is friends with all the others.
circle(Server, Names) ->
    [Reader | Authors] = Users = [twitter_users:fresh(Server, Name) || Name <- Names],
    lists:foreach(fun(Author) -> ok = twitter_users:befriend(Server, Reader, Author) end, Authors),
    Users.

posts(Client, Node) ->
    lists:append(twitter_reading:pages(Client, Node, {forward, 6})).

friends_stream(Server, Reader) ->
    Client = twitter_users:login(Server, Reader),
    Stream = twitter_reading:stream(Client, ?FRIENDS),
    ok = twitter_client:close(Client),
    Stream.

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

forget(Server, User) ->
    ok = twitter_server:call(Server, twitter_index, forget, [?SERVICE, twitter_users:jid(User)]).

%% Makes a stored post one of another moment.
stamp(Server, Id, Moment) ->
    Pattern = #pubsub_item{itemid = {Id, '_'}, _ = '_'},
    [Item] = twitter_server:call(Server, mnesia, dirty_match_object, [Pattern]),
    #pubsub_item{creation = {_, Author}} = Item,
    ok = twitter_server:call(Server, mnesia, dirty_write, [
        Item#pubsub_item{creation = {Moment, Author}}
    ]).

%% A payload of about that many bytes.
large(Text, Bytes) ->
    iolist_to_binary(lists:duplicate(Bytes div byte_size(Text) + 1, Text)).
