%%% Names that are no nodes: other spellings of nodes, and the names under which posts are stored.
-module(names_SUITE).

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    other_spellings_are_no_nodes/1,
    stored_names_are_no_nodes/1,
    stored_names_are_no_nodes_behind_a_mark/1,
    the_root_behind_a_mark_lists_no_stored_names/1,
    a_pending_form_does_not_lead_to_a_stored_node/1,
    lists_of_the_service_show_no_stored_names/1,
    no_error_was_logged/1
]).

-define(NOBODY, <<"nobody@localhost">>).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [{group, asking}, no_error_was_logged].

groups() ->
    [
        {asking, [parallel], [
            other_spellings_are_no_nodes,
            stored_names_are_no_nodes,
            stored_names_are_no_nodes_behind_a_mark,
            the_root_behind_a_mark_lists_no_stored_names,
            a_pending_form_does_not_lead_to_a_stored_node,
            lists_of_the_service_show_no_stored_names
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

other_spellings_are_no_nodes(Config) ->
    {Alice, _Bob, Jid} = twitter_secret:friend(Config),
    _ = twitter_requests:publish(Alice, <<"mine">>, <<"Mine">>),
    [Name, Domain] = binary:split(Jid, <<"@">>),
    Bobs = <<"/twitter/MyFriends/", Jid/binary>>,
    twitter_secret:assert_shown(Alice, Jid),
    assert_unknown(Alice, [
        <<"/twitter/">>,
        <<"/twitter/mystream">>,
        <<"/twitter/MYSTREAM">>,
        <<"/twitter/MyStream/">>,
        <<"/twitter//MyStream">>,
        <<"/twitter/ MyStream">>,
        <<"/twitter/MyStream ">>,
        <<"/twitter/MyStream/none">>,
        <<"/twitter/MyStream/Mine">>,
        <<"/twitter/MyStream/mine/">>,
        <<"/twitter/FriendsStream/">>,
        <<"/twitter/friendsstream">>,
        <<"/twitter/FriendsStream/mine">>,
        <<"/twitter/FriendsStream/Secret">>,
        <<"/twitter/MyFriends/">>,
        <<"/twitter/myfriends">>,
        <<"/twitter/MyFriends/", (string:uppercase(Name))/binary, "@", Domain/binary>>,
        <<"/twitter/MyFriends/", Name/binary, "@LOCALHOST">>,
        <<"/twitter/MyFriends/", Name/binary>>,
        <<"/twitter/MyFriends/", Domain/binary>>,
        <<"/twitter/MyFriends/", Name/binary, "%40", Domain/binary>>,
        <<Bobs/binary, "/">>,
        <<Bobs/binary, "/Secret">>,
        <<Bobs/binary, "/secret/">>,
        <<Bobs/binary, "//secret">>
    ]).

stored_names_are_no_nodes(Config) ->
    {Alice, Bob, _} = twitter_secret:friend(Config),
    _ = twitter_requests:publish(Alice, <<"mine">>, <<"Mine">>),
    [
        begin
            %% His own is no more a node to the owner than to his friend, or one of nobody.
            Stored = stored(Owner),
            exists(Config, Stored) orelse error({not_stored, Stored}),
            assert_unknown(Reader, [
                Stored,
                <<Stored/binary, "/">>,
                <<Stored/binary, "/mine">>,
                <<Stored/binary, "/secret">>
            ]),
            twitter_secret:assert_alike(Reader, Stored, stored(?NOBODY))
        end
     || Reader <- [Alice, Bob], Owner <- [twitter_client:bare(Alice), twitter_client:bare(Bob)]
    ],
    %% And they are still there, with their posts.
    [<<"mine">>] = twitter_reading:ids(Alice, <<"/twitter/MyStream">>),
    [<<"secret">>] = twitter_reading:ids(Bob, <<"/twitter/MyStream">>).

%% mod_pubsub cuts the node of a disco request at exclamation marks, and drops empty parts.
stored_names_are_no_nodes_behind_a_mark(Config) ->
    assert_no_mark(Config, fun(Stored) ->
        [<<"!", Stored/binary>>, <<"!!", Stored/binary, "!">>, <<"!", Stored/binary, "!secret">>]
    end).

the_root_behind_a_mark_lists_no_stored_names(Config) ->
    assert_no_mark(Config, fun(_) -> [<<"!/twitter">>, <<"!/twitter!">>, <<"!/twitter!x">>] end).

a_pending_form_does_not_lead_to_a_stored_node(Config) ->
    {Alice, Bob, BobJid} = twitter_secret:friend(Config),
    [
        <<"item-not-found">> = twitter_answers:refusal(twitter_asks:pending(Reader, Node))
     || Reader <- [Alice, Bob],
        Node <- [stored(BobJid), stored(?NOBODY), <<"/twitter/", BobJid/binary>>]
    ].

lists_of_the_service_show_no_stored_names(Config) ->
    {Alice, Bob, BobJid} = twitter_secret:friend(Config),
    Affiliations = fun(Reader) ->
        twitter_requests:pubsub(Reader, get, [empty(<<"affiliations">>)])
    end,
    Subscriptions = fun(Reader) ->
        twitter_requests:pubsub(Reader, get, [empty(<<"subscriptions">>)])
    end,
    Form = fun(Reader) -> twitter_asks:pending(Reader, none) end,
    [
        false = contains(fxml:element_to_binary(Ask(Reader)), stored(BobJid))
     || Reader <- [Alice, Bob],
        Ask <- [Affiliations, Subscriptions, Form, fun(R) -> twitter_requests:rows(R, <<>>) end]
    ],
    %% The owner finds himself to be the owner of what he knows as his stream.
    Own = fxml:element_to_binary(twitter_answers:result(Affiliations(Bob))),
    true = contains(Own, <<"/twitter/MyStream">>),
    true = contains(Own, <<"owner">>).

%%% After all of them

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

assert_no_mark(Config, Nodes) ->
    {Alice, Bob, BobJid} = twitter_secret:friend(Config),
    [Eve] = twitter_cases:strangers(Config, [<<"eve">>]),
    Stored = stored(BobJid),
    exists(Config, Stored) orelse error({not_stored, Stored}),
    [
        twitter_answers:refusal(Ask(Reader, Node)) =:= <<"item-not-found">> orelse
            error({answered, Ask(Reader, Node)})
     || Reader <- [Eve, Alice, Bob],
        Ask <- [fun twitter_requests:rows/2, fun twitter_requests:info/2],
        Node <- Nodes(Stored)
    ],
    ok.

assert_unknown(Reader, Nodes) ->
    [twitter_secret:assert_alike(Reader, Node, <<"/twitter/none">>) || Node <- Nodes],
    ok.

stored(Jid) ->
    <<"/twitter/", Jid/binary, "/MyStream">>.

exists(Config, Node) ->
    Nodes = [stored(Jid) || Jid <- twitter_stored:authors(twitter_cases:server(Config))],
    lists:member(Node, Nodes).

contains(Text, Part) ->
    nomatch =/= binary:match(Text, Part).

empty(Name) ->
    twitter_requests:el(Name, [], []).
