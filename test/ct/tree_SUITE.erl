%%% The tree as a service browser walks it, for each reader his own: what the nodes are,
%%% and the friends below MyFriends. rows_SUITE is about the rows of posts, hidden_SUITE
%%% about who may not see a node.
-module(tree_SUITE).

-include_lib("fast_xml/include/fxml.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    the_root_stands_beside_ordinary_nodes/1,
    the_root_has_three_rows/1,
    nodes_say_what_they_are/1,
    friends_are_named_and_sorted_as_in_the_roster/1,
    a_new_roster_name_shows_at_once/1,
    friends_have_odd_addresses/1,
    more_than_a_hundred_friends_are_listed/1,
    two_readers_see_two_trees/1,
    no_error_was_logged/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(MY_FRIENDS, <<"/twitter/MyFriends">>).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [{group, browsing}, no_error_was_logged].

groups() ->
    [
        {browsing, [parallel], [
            the_root_stands_beside_ordinary_nodes,
            the_root_has_three_rows,
            nodes_say_what_they_are,
            friends_are_named_and_sorted_as_in_the_roster,
            a_new_roster_name_shows_at_once,
            friends_have_odd_addresses,
            more_than_a_hundred_friends_are_listed,
            two_readers_see_two_trees
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Collections

the_root_stands_beside_ordinary_nodes(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Ordinary = <<"news of ", (twitter_client:bare(Alice))/binary>>,
    Create = twitter_requests:el(<<"create">>, [{<<"node">>, Ordinary}], []),
    _ = twitter_answers:result(twitter_requests:pubsub(Alice, set, [Create])),
    _ = twitter_requests:publish(Alice, <<"Hello">>),
    lists:foreach(
        fun(Reader) ->
            Rows = twitter_reading:rows(Reader, <<>>),
            {Ordinary, _} = lists:keyfind(Ordinary, 1, Rows),
            %% And nothing of what lies below it, or of where posts are stored.
            [{<<"/twitter">>, <<"Twitter">>}] =
                [Row || {<<"/twitter", _/binary>>, _} = Row <- Rows]
        end,
        [Alice, Bob]
    ).

the_root_has_three_rows(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    _ = twitter_requests:publish(Bob, <<"Hello">>),
    Answer = twitter_requests:rows(Alice, <<"/twitter">>),
    [
        {?MINE, <<"MyStream">>},
        {?FRIENDS, <<"FriendsStream">>},
        {?MY_FRIENDS, <<"MyFriends">>}
    ] = twitter_answers:rows(Answer),
    %% Every row is here, and the answer is about the node that was asked for.
    Query = fxml:get_subtag(Answer, <<"query">>),
    <<"/twitter">> = fxml:get_tag_attr_s(<<"node">>, Query),
    [<<"pubsub.localhost">>] =
        lists:usort([fxml:get_tag_attr_s(<<"jid">>, Row) || #xmlel{} = Row <- Query#xmlel.children]).

nodes_say_what_they_are(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    BobJid = twitter_client:bare(Bob),
    _ = twitter_requests:publish(Alice, <<"mine">>, <<"My post">>),
    _ = twitter_requests:publish(Bob, <<"his">>, <<"His post">>),
    Bobs = <<"/twitter/MyFriends/", BobJid/binary>>,
    lists:foreach(
        fun({Node, Type, Title}) ->
            Answer = twitter_requests:info(Alice, Node),
            {Node, [{<<"pubsub">>, Type, false}]} = {Node, twitter_answers:identities(Answer)},
            #{
                <<"FORM_TYPE">> := [<<"http://jabber.org/protocol/pubsub#meta-data">>],
                <<"pubsub#title">> := [Title],
                <<"pubsub#description">> := [Description]
            } = twitter_answers:form(Answer),
            true = Description =/= <<>>,
            Node = fxml:get_path_s(Answer, [{elem, <<"query">>}, {attr, <<"node">>}])
        end,
        [
            {<<"/twitter">>, <<"collection">>, <<"Twitter">>},
            {?MINE, <<"leaf">>, <<"MyStream">>},
            {?FRIENDS, <<"leaf">>, <<"FriendsStream">>},
            {?MY_FRIENDS, <<"collection">>, <<"MyFriends">>},
            {Bobs, <<"leaf">>, BobJid},
            {<<?MINE/binary, "/mine">>, <<"leaf">>, <<"My post">>},
            {<<?FRIENDS/binary, "/his">>, <<"leaf">>, <<BobJid/binary, ": His post">>},
            {<<Bobs/binary, "/his">>, <<"leaf">>, <<"His post">>}
        ]
    ).

friends_are_named_and_sorted_as_in_the_roster(Config) ->
    [Alice | Friends] = twitter_cases:friends(Config, [
        <<"alice">>, <<"bob">>, <<"carol">>, <<"dave">>, <<"erin">>
    ]),
    [Bob, Carol, Dave, Erin] = [twitter_client:bare(Friend) || Friend <- Friends],
    %% The order of the names is not that of the addresses; blank is no name.
    twitter_cases:rename(Config, Alice, Bob, <<"walrus">>),
    twitter_cases:rename(Config, Alice, Carol, <<"ant">>),
    twitter_cases:rename(Config, Alice, Dave, <<"   ">>),
    twitter_cases:rename(Config, Alice, Erin, <<"Żółw <&'\""/utf8>>),
    Expected = [
        {Carol, <<"ant">>}, {Dave, Dave}, {Bob, <<"walrus">>}, {Erin, <<"Żółw <&'\""/utf8>>}
    ],
    Expected = friend_rows(Alice),
    [
        #{<<"pubsub#title">> := [Name]} = twitter_answers:form(
            twitter_requests:info(Alice, <<"/twitter/MyFriends/", Jid/binary>>)
        )
     || {Jid, Name} <- Expected
    ].

a_new_roster_name_shows_at_once(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    BobJid = twitter_client:bare(Bob),
    _ = twitter_requests:publish(Bob, <<"Hello">>),
    [
        begin
            twitter_cases:rename(Config, Alice, BobJid, Name),
            [{BobJid, Name}] = friend_rows(Alice),
            [<<Name/binary, ": Hello">>] =:= names(Alice, ?FRIENDS) orelse error(Name)
        end
     || Name <- [<<"Robert">>, <<"Bobby">>]
    ].

friends_have_odd_addresses(Config) ->
    Names = [<<"b!ob">>, <<"%21">>, <<"b%b">>, <<"böb"/utf8>>, <<"#$?;|">>, <<"mystream">>],
    [Alice | Odd] = twitter_cases:friends(Config, [<<"alice">> | Names]),
    Jids = [twitter_client:bare(Friend) || Friend <- Odd],
    [_ = twitter_requests:publish(Friend, <<"1">>, <<"Hello">>) || Friend <- Odd],
    Sorted = lists:sort(Jids),
    Sorted = [Jid || {Jid, _} <- friend_rows(Alice)],
    [
        begin
            Node = <<"/twitter/MyFriends/", Jid/binary>>,
            [{<<Node/binary, "/1">>, <<"Hello">>}] =:=
                twitter_reading:rows(Alice, Node) orelse error(Jid),
            [{Jid, <<"1">>}] = twitter_reading:posts(Alice, Node)
        end
     || Jid <- Jids
    ].

more_than_a_hundred_friends_are_listed(Config) ->
    Server = twitter_cases:server(Config),
    Alice = twitter_users:fresh(Server, <<"alice">>),
    Friends = [twitter_users:fresh(Server, <<"friend">>) || _ <- lists:seq(1, 120)],
    [ok = twitter_users:befriend(Server, Alice, Friend) || Friend <- Friends],
    Expected = lists:sort([twitter_users:jid(Friend) || Friend <- Friends]),
    Expected = [Jid || {Jid, _} <- friend_rows(twitter_users:login(Server, Alice))].

two_readers_see_two_trees(Config) ->
    [Bob, Alice] = twitter_cases:friends(Config, [<<"bob">>, <<"alice">>]),
    [Dave, Carol] = twitter_cases:friends(Config, [<<"dave">>, <<"carol">>]),
    [
        _ = twitter_requests:publish(Client, Id, Id)
     || {Client, Id} <- [{Alice, <<"a">>}, {Bob, <<"b">>}, {Carol, <<"c">>}, {Dave, <<"d">>}]
    ],
    Tree = fun(Reader) ->
        [Friend] = [Jid || {Jid, _} <- friend_rows(Reader)],
        [_, Text] = binary:split(hd(names(Reader, ?FRIENDS)), <<": ">>),
        {Friend, names(Reader, ?MINE), Text}
    end,
    Bare = fun twitter_client:bare/1,
    true = Tree(Alice) =:= {Bare(Bob), [<<"a">>], <<"b">>},
    true = Tree(Bob) =:= {Bare(Alice), [<<"b">>], <<"a">>},
    true = Tree(Carol) =:= {Bare(Dave), [<<"c">>], <<"d">>},
    true = Tree(Dave) =:= {Bare(Carol), [<<"d">>], <<"c">>}.

%%% After all of them

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

friend_rows(Reader) ->
    [
        {Jid, Name}
     || {<<"/twitter/MyFriends/", Jid/binary>>, Name} <-
            twitter_reading:rows(Reader, ?MY_FRIENDS)
    ].

names(Reader, Node) ->
    [Name || {_, Name} <- twitter_reading:rows(Reader, Node)].
