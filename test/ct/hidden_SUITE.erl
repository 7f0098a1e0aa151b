%%% What a reader may not see is answered exactly like what does not exist, whatever he
%%% asks for; and the names under which posts are stored are no names on the wire.
-module(hidden_SUITE).

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    a_stranger_is_hidden/1,
    a_contact_without_subscription_is_hidden/1,
    a_contact_who_only_sees_the_reader_is_hidden/1,
    a_contact_who_agreed_to_nothing_is_hidden/1,
    a_contact_whom_the_reader_removed_is_hidden/1,
    a_contact_who_removed_the_reader_is_hidden/1,
    a_contact_whom_the_reader_blocked_is_hidden/1,
    a_contact_who_blocked_the_reader_is_hidden/1,
    the_reader_is_no_friend_of_his_own/1,
    one_direction_is_enough/1,
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
            a_stranger_is_hidden,
            a_contact_without_subscription_is_hidden,
            a_contact_who_only_sees_the_reader_is_hidden,
            a_contact_who_agreed_to_nothing_is_hidden,
            a_contact_whom_the_reader_removed_is_hidden,
            a_contact_who_removed_the_reader_is_hidden,
            a_contact_whom_the_reader_blocked_is_hidden,
            a_contact_who_blocked_the_reader_is_hidden,
            the_reader_is_no_friend_of_his_own,
            one_direction_is_enough,
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

%%% Who is no friend

a_stranger_is_hidden(Config) ->
    [Alice, Bob] = twitter_cases:strangers(Config, [<<"alice">>, <<"bob">>]),
    _ = twitter_requests:publish(Bob, <<"secret">>, <<"Hello">>),
    assert_hidden(Alice, twitter_client:bare(Bob)).

a_contact_without_subscription_is_hidden(Config) ->
    {Alice, Bob, Jid} = friend(Config),
    ok = twitter_cases:set_contact(Config, Alice, Jid, none),
    [{_, both}] = twitter_users:roster(twitter_cases:server(Config), twitter_cases:user(Bob)),
    assert_hidden(Alice, Jid).

a_contact_who_only_sees_the_reader_is_hidden(Config) ->
    {Alice, _Bob, Jid} = friend(Config),
    ok = twitter_cases:set_contact(Config, Alice, Jid, from),
    assert_hidden(Alice, Jid).

%% The reader's roster says that he sees the contact; the contact's own does not.
a_contact_who_agreed_to_nothing_is_hidden(Config) ->
    [
        begin
            {Alice, Bob, Jid} = friend(Config),
            ok = twitter_cases:set_contact(Config, Bob, twitter_client:bare(Alice), Subscription),
            assert_hidden(Alice, Jid)
        end
     || Subscription <- [none, to]
    ].

a_contact_whom_the_reader_removed_is_hidden(Config) ->
    {Alice, _Bob, Jid} = friend(Config),
    ok = twitter_users:remove_contact(Alice, Jid),
    assert_hidden(Alice, Jid).

a_contact_who_removed_the_reader_is_hidden(Config) ->
    {Alice, Bob, Jid} = friend(Config),
    ok = twitter_users:remove_contact(Bob, twitter_client:bare(Alice)),
    assert_hidden(Alice, Jid).

a_contact_whom_the_reader_blocked_is_hidden(Config) ->
    {Alice, _Bob, Jid} = friend(Config),
    ok = twitter_users:block(Alice, Jid),
    assert_hidden(Alice, Jid),
    ok = twitter_users:unblock(Alice, Jid),
    assert_shown(Alice, Jid).

a_contact_who_blocked_the_reader_is_hidden(Config) ->
    {Alice, Bob, Jid} = friend(Config),
    ok = twitter_users:block(Bob, twitter_client:bare(Alice)),
    assert_hidden(Alice, Jid),
    %% A block outlives the session in which it was made.
    User = twitter_cases:user(Bob),
    ok = twitter_client:close(Bob),
    assert_hidden(Alice, Jid),
    Again = twitter_users:login(twitter_cases:server(Config), User),
    ok = twitter_users:unblock(Again, twitter_client:bare(Alice)),
    assert_shown(Alice, Jid).

%% Not even with himself as a contact, which some clients allow.
the_reader_is_no_friend_of_his_own(Config) ->
    {Alice, _Bob, _} = friend(Config),
    Self = twitter_client:bare(Alice),
    ok = twitter_cases:set_contact(Config, Alice, Self, both),
    _ = twitter_requests:publish(Alice, <<"secret">>, <<"Hello">>),
    [] = [Row || Row <- rows(Alice, <<"/twitter/MyFriends">>), contains(Row, Self)],
    [] = [Post || {Publisher, _} = Post <- all_friends_posts(Alice), Publisher =:= Self],
    assert_alike(
        Alice, <<"/twitter/MyFriends/", Self/binary>>, <<"/twitter/MyFriends/", ?NOBODY/binary>>
    ).

one_direction_is_enough(Config) ->
    {Alice, Bob, Jid} = friend(Config),
    ok = twitter_cases:set_contact(Config, Alice, Jid, to),
    ok = twitter_cases:set_contact(Config, Bob, twitter_client:bare(Alice), from),
    assert_shown(Alice, Jid),
    assert_hidden(Bob, twitter_client:bare(Alice)).

%%% What is no node

other_spellings_are_no_nodes(Config) ->
    {Alice, _Bob, Jid} = friend(Config),
    _ = twitter_requests:publish(Alice, <<"mine">>, <<"Mine">>),
    [Name, Domain] = binary:split(Jid, <<"@">>),
    Bobs = <<"/twitter/MyFriends/", Jid/binary>>,
    assert_shown(Alice, Jid),
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
    {Alice, Bob, _} = friend(Config),
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
            assert_alike(Reader, Stored, stored(?NOBODY))
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
    {Alice, Bob, BobJid} = friend(Config),
    [
        <<"item-not-found">> = twitter_answers:refusal(twitter_asks:pending(Reader, Node))
     || Reader <- [Alice, Bob],
        Node <- [stored(BobJid), stored(?NOBODY), <<"/twitter/", BobJid/binary>>]
    ].

lists_of_the_service_show_no_stored_names(Config) ->
    {Alice, Bob, BobJid} = friend(Config),
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

%% Alice, and Bob, who shares presence with her and has a post `secret'.
friend(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    _ = twitter_requests:publish(Bob, <<"secret">>, <<"Hello">>),
    Jid = twitter_client:bare(Bob),
    assert_shown(Alice, Jid),
    {Alice, Bob, Jid}.

assert_shown(Reader, Jid) ->
    Stream = <<"/twitter/MyFriends/", Jid/binary>>,
    true = [{Jid, <<"secret">>}] =:= twitter_reading:posts(Reader, Stream),
    true = lists:member({Jid, <<"secret">>}, all_friends_posts(Reader)),
    true = lists:any(fun(Row) -> contains(Row, Jid) end, rows(Reader, <<"/twitter/MyFriends">>)),
    %% So that "everything is unknown" would not pass for "hidden".
    [
        {Node, Name, false} =
            {Node, Name, twitter_answers:refusal(Ask(Reader, Node)) =:= <<"item-not-found">>}
     || Node <- [Stream, <<Stream/binary, "/secret">>, <<"/twitter/FriendsStream/secret">>],
        {Name, Ask} <- twitter_asks:all(),
        Name =/= pending
    ],
    ok.

assert_hidden(Reader, Jid) ->
    Stream = <<"/twitter/MyFriends/", Jid/binary>>,
    Nobody = <<"/twitter/MyFriends/", ?NOBODY/binary>>,
    assert_alike(Reader, Stream, Nobody),
    assert_alike(Reader, <<Stream/binary, "/secret">>, <<Nobody/binary, "/secret">>),
    assert_alike(Reader, <<"/twitter/FriendsStream/secret">>, <<"/twitter/FriendsStream/unheard">>),
    [] = [Row || Row <- rows(Reader, <<"/twitter/MyFriends">>), contains(Row, Jid)],
    [] = [Row || Row <- rows(Reader, <<"/twitter/FriendsStream">>), contains(Row, Jid)],
    [] = [Post || {Publisher, _} = Post <- all_friends_posts(Reader), Publisher =:= Jid],
    ok.

%% Every request about the one node is answered like the same about the other: not found.
assert_alike(Reader, Node, Unknown) ->
    [
        begin
            Answer = Ask(Reader, Node),
            {Name, Node, <<"item-not-found">>} = {Name, Node, twitter_answers:refusal(Answer)},
            Words = [Node, Unknown],
            true =
                twitter_answers:anonymous(Answer, Words) =:=
                    twitter_answers:anonymous(Ask(Reader, Unknown), Words)
        end
     || {Name, Ask} <- twitter_asks:all()
    ],
    ok.

assert_no_mark(Config, Nodes) ->
    {Alice, Bob, BobJid} = friend(Config),
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
    [assert_alike(Reader, Node, <<"/twitter/none">>) || Node <- Nodes],
    ok.

all_friends_posts(Reader) ->
    Stream = <<"/twitter/FriendsStream">>,
    Read = twitter_reading:posts(Reader, Stream),
    ById = #{ids => [<<"secret">>]},
    lists:usort(Read ++ twitter_reading:posts(Reader, Stream, ById)).

rows(Reader, Node) ->
    [
        <<Id/binary, " ", Name/binary>>
     || {Id, Name} <- twitter_reading:rows(Reader, Node)
    ].

stored(Jid) ->
    <<"/twitter/", Jid/binary, "/MyStream">>.

exists(Config, Node) ->
    Key = {<<"pubsub.localhost">>, Node},
    [] =/=
        twitter_server:call(twitter_cases:server(Config), mnesia, dirty_read, [pubsub_node, Key]).

contains(Text, Part) ->
    nomatch =/= binary:match(Text, Part).

empty(Name) ->
    twitter_requests:el(Name, [], []).
