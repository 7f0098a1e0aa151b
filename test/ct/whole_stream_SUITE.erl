%%% The pages of a stream (XEP-0059), put together, are the whole stream, each post once,
%%% whatever happens between two of them.
-module(whole_stream_SUITE).

-include_lib("ejabberd/include/pubsub.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    pages_are_the_whole_stream/1,
    posts_arrive_between_pages/1,
    posts_arrive_while_a_reader_reads/1,
    posts_go_between_pages/1,
    posts_of_one_moment/1,
    friends_come_and_go_between_pages/1,
    cursors_outlive_the_index/1,
    no_error_was_logged/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [{group, roomy}, {group, tiny}].

groups() ->
    [
        {roomy, [], [{group, reading_on}, no_error_was_logged]},
        {tiny, [], [{group, reading_on}, no_error_was_logged]},
        {reading_on, [parallel], [
            pages_are_the_whole_stream,
            posts_arrive_between_pages,
            posts_arrive_while_a_reader_reads,
            posts_go_between_pages,
            posts_of_one_moment,
            friends_come_and_go_between_pages,
            cursors_outlive_the_index
        ]}
    ].

init_per_suite(Config) -> Config.

end_per_suite(_Config) -> ok.

init_per_group(roomy, Config) ->
    twitter_cases:start(Config, #{name => "roomy"});
init_per_group(tiny, Config) ->
    %% What is read has to be loaded from storage each time.
    twitter_cases:start(Config, #{name => "tiny", twitter => #{index_size => 2000, cache_size => 2000}});
init_per_group(reading_on, Config) ->
    Config.

end_per_group(reading_on, _Config) -> ok;
end_per_group(_Group, Config) -> twitter_cases:stop(Config).

%%% All pages

pages_are_the_whole_stream(Config) ->
    {Reader, [Bob | _] = Friends} = twitter_cases:circle(Config),
    Posts = twitter_cases:chat(Friends, 26),
    Jid = twitter_client:bare(Bob),
    Bobs = [Post || {Publisher, _} = Post <- Posts, Publisher =:= Jid],
    [
        begin
            Pages = twitter_reading:pages(Client, Node, {Direction, Max}),
            {Node, Direction, Max, Expected} = {Node, Direction, Max, joined(Direction, Pages)},
            %% All pages but the last are full.
            [Max] = lists:usort([Max | [length(Page) || Page <- lists:droplast(Pages)]])
        end
     || {Client, Node, Expected} <- [
            {Reader, ?FRIENDS, Posts},
            {Reader, <<"/twitter/MyFriends/", Jid/binary>>, Bobs},
            {Bob, ?MINE, Bobs}
        ],
        Direction <- [forward, backward],
        Max <- [1, 7, 13, 26, 77, 78, 1000]
    ].

%% Old posts come each once; new ones are at the newer end, where only the one who reads
%% towards it comes by.
posts_arrive_between_pages(Config) ->
    {Reader, [Bob, Carol | _] = Friends} = twitter_cases:circle(Config),
    Old = twitter_cases:chat(Friends, 6),
    Arrive = fun
        (Author, Prefix, Number) when Number =< 4 ->
            Id = <<Prefix/binary, (integer_to_binary(Number))/binary>>,
            twitter_requests:publish_all(Author, [Id]);
        (_, _, _) ->
            none
    end,
    Backward = twitter_reading:pages(Reader, ?FRIENDS, {backward, 4}, fun(N) ->
        Arrive(Bob, <<"b">>, N)
    end),
    Old = joined(backward, Backward),
    {Now, #{count := 22}} = page(Reader, #{max => 100}),
    Forward = twitter_reading:pages(Reader, ?FRIENDS, {forward, 4}, fun(N) ->
        Arrive(Carol, <<"c">>, N)
    end),
    {All, #{count := 26}} = page(Reader, #{max => 100}),
    All = joined(forward, Forward),
    true = lists:prefix(Old, Now) andalso lists:prefix(Now, All).

posts_arrive_while_a_reader_reads(Config) ->
    {Reader, Friends} = twitter_cases:circle(Config),
    Old = twitter_cases:chat(Friends, 4),
    Ids = [<<"new", Number/binary>> || Number <- numbers(30)],
    Writers = [
        spawn_monitor(fun() -> twitter_requests:publish_all(Friend, Ids) end)
     || Friend <- Friends
    ],
    Read = [
        joined(Direction, twitter_reading:pages(Reader, ?FRIENDS, {Direction, 3}))
     || Direction <- [backward, forward, backward, forward]
    ],
    [
        receive
            {'DOWN', Monitor, process, Writer, Reason} -> normal = Reason
        end
     || {Writer, Monitor} <- Writers
    ],
    {All, #{count := 102}} = page(Reader, #{max => 1000}),
    [
        begin
            Once = [Post || Post <- All, lists:member(Post, Once)],
            [] = Old -- Once
        end
     || Once <- Read
    ].

%% What stays is read once. A cursor on a post that went still tells where to go on.
posts_go_between_pages(Config) ->
    [
        begin
            {Reader, Friends} = twitter_cases:circle(Config),
            Posts = twitter_cases:chat(Friends, 6),
            Order =
                case Direction of
                    forward -> Posts;
                    backward -> lists:reverse(Posts)
                end,
            Pages = [
                case Direction of
                    forward -> Page;
                    backward -> lists:reverse(Page)
                end
             || Page <- twitter_reading:pages(
                    Reader, ?FRIENDS, {Direction, 4}, retracting(Friends, Order)
                )
            ],
            Expected = [[lists:nth(Place, Order) || Place <- Page] || Page <- places_read()],
            {Direction, Expected} = {Direction, Pages}
        end
     || Direction <- [forward, backward]
    ].

%% After the first page go its ends and a post ahead, after the second all of it and a post
%% ahead, after the third all that is ahead and a post that was read long ago.
retracting(Friends, Order) ->
    Authors = maps:from_list([{twitter_client:bare(Friend), Friend} || Friend <- Friends]),
    fun(Number) ->
        [
            begin
                {Publisher, Id} = lists:nth(Place, Order),
                ok = twitter_requests:retract(maps:get(Publisher, Authors), Id)
            end
         || Place <- lists:nth(Number, [[1, 4, 6], [5, 7, 8, 9, 11], [2, 15, 16, 17, 18]])
        ]
    end.

places_read() ->
    [[1, 2, 3, 4], [5, 7, 8, 9], [10, 12, 13, 14]].

%% Half of the posts share one microsecond, the others the next one; each id is used by all.
posts_of_one_moment(Config) ->
    {Reader, Friends} = twitter_cases:circle(Config),
    Posts = twitter_cases:chat(Friends, 8),
    lists:foreach(fun(Friend) -> same_moments(Config, Friend) end, Friends),
    {All, #{count := 24}} = page(Reader, #{max => 100}),
    {Older, Newer} = lists:split(12, All),
    true = lists:sort(Older) =:= lists:sort([Post || {_, Id} = Post <- Posts, Id =< <<"4">>]),
    true = lists:sort(All) =:= lists:sort(Posts),
    12 = length(Newer),
    [
        {Direction, Max, All} =
            {Direction, Max,
                joined(Direction, twitter_reading:pages(Reader, ?FRIENDS, {Direction, Max}))}
     || Direction <- [forward, backward], Max <- [1, 2, 5, 11, 12, 13, 23]
    ],
    %% The rows are the same list from the other end.
    Rows = twitter_reading:rows(Reader, ?FRIENDS),
    true =
        [Node || {Node, _} <- Rows] =:=
            [<<?FRIENDS/binary, "/", Id/binary>> || {_, Id} <- lists:reverse(All)],
    %% And a place among equals outlives its post.
    {_, #{last := Cursor}} = page(Reader, #{max => 7}),
    {Publisher, Id} = lists:nth(7, All),
    [Author] = [Friend || Friend <- Friends, twitter_client:bare(Friend) =:= Publisher],
    ok = twitter_requests:retract(Author, Id),
    {Rest, #{index := 6}} = page(Reader, #{max => 100, 'after' => Cursor}),
    Rest = lists:nthtail(7, All).

%% Rights are those of the moment of each page, and a cursor is a place, not a right.
friends_come_and_go_between_pages(Config) ->
    Remove = fun twitter_users:remove_contact/2,
    Befriend = fun(Reader, Bob) ->
        ok = twitter_users:befriend(
            twitter_cases:server(Config), twitter_cases:user(Reader), twitter_cases:user(Bob)
        )
    end,
    Unblock = fun(Reader, Bob) ->
        ok = twitter_users:unblock(Reader, twitter_client:bare(Bob))
    end,
    comes_and_goes(Config, Remove, Befriend),
    comes_and_goes(Config, fun twitter_users:block/2, Unblock).

comes_and_goes(Config, Hide, Show) ->
    [Reader, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    [B1, C1, B2, C2, B3, C3 | _] = All = twitter_cases:chat([Bob, Carol], 6),
    Carols = [Post || {Jid, _} = Post <- All, Jid =:= twitter_client:bare(Carol)],
    {[B1, C1, B2], #{count := 12, last := Cursor}} = page(Reader, #{max => 3}),
    ok = Hide(Reader, twitter_client:bare(Bob)),
    {Carols, #{count := 6}} = page(Reader, #{max => 100}),
    %% The cursor is on a post of his.
    {[C2, C3], #{count := 6, index := 1}} = page(Reader, #{max => 2, 'after' => Cursor}),
    {[C1], #{count := 6, index := 0}} = page(Reader, #{max => 2, before => Cursor}),
    ok = Show(Reader, Bob),
    {[C2, B3, C3], #{count := 12, index := 3}} = page(Reader, #{max => 3, 'after' => Cursor}),
    {[B1, C1], #{count := 12, index := 0}} = page(Reader, #{max => 3, before => Cursor}).

%% Memory only remembers what is stored: what is read again from there is in the same order.
cursors_outlive_the_index(Config) ->
    {Reader, Friends} = twitter_cases:circle(Config),
    Posts = twitter_cases:chat(Friends, 8),
    Forget = fun(Number) ->
        twitter_cases:forget(Config, twitter_client:bare(lists:nth(1 + Number rem 3, Friends)))
    end,
    [
        {Direction, Posts} =
            {Direction,
                joined(Direction, twitter_reading:pages(Reader, ?FRIENDS, {Direction, 2}, Forget))}
     || Direction <- [forward, backward]
    ].

%%% After all of them

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

numbers(To) ->
    [integer_to_binary(Number) || Number <- lists:seq(1, To)].

page(Reader, Rsm) ->
    twitter_reading:page(Reader, <<"/twitter/FriendsStream">>, Rsm).

%% The stream that the pages make up, oldest first.
joined(forward, Pages) -> lists:append(Pages);
joined(backward, Pages) -> lists:append(lists:reverse(Pages)).

%% Gives the stored posts of an author one of two creation stamps: the first four the one,
%% the others the next microsecond.
same_moments(Config, Author) ->
    Server = twitter_cases:server(Config),
    Stored = [twitter_stored:post(Server, twitter_client:bare(Author), Id) || Id <- numbers(8)],
    [
        begin
            Stamp =
                {1210, 271402,
                    case Id =< <<"4">> of
                        true -> 1;
                        false -> 2
                    end},
            ok = twitter_stored:write(Server, Item#pubsub_item{creation = {Stamp, Who}})
        end
     || #pubsub_item{itemid = {Id, _}, creation = {_, Who}} = Item <- Stored
    ],
    twitter_cases:forget(Config, twitter_client:bare(Author)).
