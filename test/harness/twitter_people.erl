%%% The people of a test of rights, and what each of them gets now: by pushes, and by reading.
%%%
%%% The author Alice has two clients, the reader Bob has two, and they do not know each other. Carol sees
%%% Alice all the time, Bob sees Dave, and Eve nobody, whatever she says of Alice in her roster.
-module(twitter_people).

-include_lib("stdlib/include/assert.hrl").

-export([meet/1, leave/1, come/1, check/3, check_tree/2]).
-export_type([people/0, rights/0]).

-type people() :: #{
    server := twitter_server:server(),
    %% A folder for files.
    dir := file:filename(),
    author := twitter_client:client(),
    phone := twitter_client:client(),
    %% Not while he is away.
    reader => twitter_client:client(),
    laptop => twitter_client:client(),
    reader_user := twitter_client:user(),
    %% Carol's JID, and Dave's.
    sees := binary(),
    seen := binary(),
    carol := twitter_client:client(),
    eve := twitter_client:client(),
    %% The place of Alice's post `secret', as Carol was told.
    cursor := binary()
}.
%% What is the reader's.
-type rights() :: #{push := boolean(), read := boolean()}.

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(MY_FRIENDS, <<"/twitter/MyFriends">>).

%% @doc All of them, online. Alice has the posts `secret' and `kept', Dave has two.
-spec meet([{atom(), term()}]) -> people().
meet(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"carol">>]),
    [Bob, Dave] = twitter_cases:friends(Config, [<<"bob">>, <<"dave">>]),
    [Eve] = twitter_cases:strangers(Config, [<<"eve">>]),
    ok = twitter_cases:set_contact(Config, Eve, twitter_client:bare(Alice), both),
    <<"secret">> = twitter_requests:publish(Alice, <<"secret">>, <<"Hello">>),
    <<"kept">> = twitter_requests:publish(Alice, <<"kept">>, <<"For a while">>),
    [_, _] = twitter_requests:publish_all(Dave, [<<"1">>, <<"2">>]),
    #{last := Cursor} = twitter_answers:page(twitter_requests:items(Carol, ?FRIENDS, #{rsm => #{max => 1}})),
    User = twitter_cases:user(Bob),
    #{
        server => Server, dir => proplists:get_value(priv_dir, Config),
        author => Alice, phone => twitter_users:login(Server, twitter_cases:user(Alice)),
        reader => Bob, reader_user => User, laptop => twitter_users:login(Server, User),
        sees => twitter_client:bare(Carol), carol => Carol, seen => twitter_client:bare(Dave), eve => Eve,
        cursor => Cursor
    }.

%% @doc The reader goes.
-spec leave(people()) -> people().
leave(#{reader := Reader, laptop := Laptop} = People) ->
    [ok = twitter_client:close(Client) || Client <- [Reader, Laptop]],
    maps:without([reader, laptop], People).

%% @doc And comes back.
-spec come(people()) -> people().
come(#{server := Server, reader_user := User} = People) ->
    People#{reader => twitter_users:login(Server, User), laptop => twitter_users:login(Server, User)}.

%%% What everybody gets now

%% @doc Posts, edits and retracts, also what was pushed and read before, and checks what everybody gets.
-spec check(Step :: term(), rights(), people()) -> ok.
check(Step, Rights, #{author := Alice, phone := Phone, eve := Eve} = People) ->
    _ = events(People),
    ok = twitter_requests:retract(Alice, <<"kept">>),
    <<"new">> = twitter_requests:publish(Phone, <<"new">>, <<"The news">>),
    check_streams(Step, Rights, People),
    <<"new">> = twitter_requests:publish(Alice, <<"new">>, <<"The latest news">>),
    ok = twitter_requests:retract(Alice, <<"new">>),
    <<"secret">> = twitter_requests:publish(Alice, <<"secret">>, <<"Hello again">>),
    check_events(Step, Rights, events(People)),
    check_tree(Rights, People),
    %% Nobody else has gained anything.
    ?assertEqual({Step, []}, {Step, twitter_reading:ids(Eve, ?FRIENDS)}),
    ?assertEqual({Step, []}, {Step, twitter_reading:rows(Eve, ?MY_FRIENDS)}),
    twitter_secret:assert_alike(Eve, stream(Alice), <<"/twitter/MyFriends/nobody@localhost">>),
    <<"kept">> = twitter_requests:publish(Alice, <<"kept">>, <<"For a while">>),
    ok.

events(#{server := Server} = People) ->
    maps:map(fun(_, Client) -> twitter_events:posts(Server, Client) end,
             maps:with([author, phone, carol, reader, laptop, eve], People)).

%% Who published is not told himself.
check_events(Step, #{push := IsPushed}, Events) ->
    Kinds = maps:map(fun(_, Entries) -> [{element(1, Entry), element(3, Entry)} || Entry <- Entries] end, Events),
    [Old, Post | Changes] = All = [
        {retract, <<"kept">>}, {item, <<"new">>}, {item, <<"new">>}, {retract, <<"new">>}, {item, <<"secret">>}
    ],
    Readers = [Each || Each <- All, IsPushed],
    ?assertEqual(
        {Step, #{author => [Post], phone => [Old | Changes], carol => All, reader => Readers, laptop => Readers, eve => []}},
        {Step, Kinds}
    ).

%% While the new post is there. A page is asked for after a place that somebody else has named: what is
%% counted before and after it is the reader's own.
check_streams(Step, #{read := IsRead}, #{author := Alice, reader := Bob, seen := Dave, cursor := Cursor}) ->
    Author = twitter_client:bare(Alice),
    Old = [{Author, <<"secret">>} || IsRead],
    New = [{Author, <<"new">>} || IsRead],
    Daves = [{Dave, <<"1">>}, {Dave, <<"2">>}],
    All = Old ++ Daves ++ New,
    ?assertEqual({Step, All}, {Step, twitter_reading:posts(Bob, ?FRIENDS)}),
    {Posts, Page} = twitter_reading:page(Bob, ?FRIENDS, #{max => 9, 'after' => Cursor}),
    ?assertEqual({Step, Daves ++ New}, {Step, Posts}),
    ?assertEqual({Step, #{count => length(All), index => length(Old)}}, {Step, maps:with([count, index], Page)}),
    {Before, BeforePage} = twitter_reading:page(Bob, ?FRIENDS, #{max => 9, before => maps:get(first, Page)}),
    ?assertEqual({Step, Old, length(All)}, {Step, Before, maps:get(count, BeforePage)}),
    ById = #{ids => [<<"secret">>, <<"1">>, <<"new">>]},
    ?assertEqual({Step, lists:sort(Old ++ [hd(Daves)] ++ New)}, {Step, lists:sort(twitter_reading:posts(Bob, ?FRIENDS, ById))}),
    Names = [Name || {_, Name} <- twitter_reading:rows(Bob, ?FRIENDS)],
    ?assertEqual({Step, length(All)}, {Step, length(Names)}),
    ?assertEqual({Step, IsRead}, {Step, [] =/= [Name || Name <- Names, binary:match(Name, <<"The news">>) =/= nomatch]}).

%% @doc Every request about the author and the post `secret': answered, or answered as for nobody. The
%% author is a client, or the JID of somebody who is not there.
-spec check_tree(rights(), people() | map()) -> ok.
check_tree(Rights, #{author := Alice} = People) when is_pid(Alice) ->
    check_tree(Rights, People#{author := twitter_client:bare(Alice)});
check_tree(#{read := IsRead}, #{author := Author, reader := Bob, laptop := Laptop, seen := Dave}) ->
    Friends = [Dave | [Author || IsRead]],
    [
        begin
            Rows = [Node || {Node, _} <- twitter_reading:rows(Client, ?MY_FRIENDS)],
            ?assertEqual(lists:sort([<<?MY_FRIENDS/binary, "/", Friend/binary>> || Friend <- Friends]), lists:sort(Rows))
        end
     || Client <- [Bob, Laptop]
    ],
    case IsRead of
        true -> twitter_secret:assert_shown(Bob, Author);
        false -> twitter_secret:assert_hidden(Bob, Author)
    end.

stream(Author) ->
    <<?MY_FRIENDS/binary, "/", (twitter_client:bare(Author))/binary>>.
