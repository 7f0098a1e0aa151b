%%% Who comes online gets what he missed: the newest posts, in their order, each once, whatever number of
%%% devices and reconnects; and nobody gets what he may not see. All cases run with both ways of delivery.
-module(catch_up_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-import(twitter_absence, [author_and_reader/1, login/2, publish/3, ids/2, title/1, await_offline/2]).

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    what_was_missed_comes_once/1,
    it_looks_as_when_it_is_pushed/1,
    the_newest_come_oldest_first/1,
    of_several_friends_in_one_order/1,
    who_comes_for_the_first_time/1,
    another_device_gets_nothing/1,
    of_two_that_come_at_once_one_gets_it/1,
    unavailable_and_back/1,
    any_priority_but_no_presence_none/1,
    an_edit_and_a_deletion_meanwhile/1,
    who_may_not_see_it_gets_nothing/1,
    an_active_list_counts/1,
    settings_count/1,
    while_pushes_are_off/1,
    without_pushes_from_the_beginning/1,
    whatever_a_client_wrote_there/1,
    each_once_whenever_one_comes_and_leaves/1,
    each_once_with_two_devices/1,
    not_pushed_to_the_next_session/1,
    no_error_was_logged/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(UNREAD, <<"urn:ejabberd:twitter:unread">>).
-define(LIMIT, 5).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [{group, fast}, {group, full}, {group, many}].

groups() ->
    Cases = [{group, readers}, not_pushed_to_the_next_session, while_pushes_are_off, without_pushes_from_the_beginning, no_error_was_logged],
    [
        {fast, [], Cases},
        {full, [], Cases},
        {many, [], [{group, while_posts_come}, no_error_was_logged]},
        {readers, [parallel], [
            what_was_missed_comes_once,
            it_looks_as_when_it_is_pushed,
            the_newest_come_oldest_first,
            of_several_friends_in_one_order,
            who_comes_for_the_first_time,
            another_device_gets_nothing,
            of_two_that_come_at_once_one_gets_it,
            unavailable_and_back,
            any_priority_but_no_presence_none,
            an_edit_and_a_deletion_meanwhile,
            who_may_not_see_it_gets_nothing,
            an_active_list_counts,
            settings_count,
            whatever_a_client_wrote_there
        ]},
        {while_posts_come, [parallel], [
            each_once_whenever_one_comes_and_leaves,
            each_once_with_two_devices
        ]}
    ].

init_per_suite(Config) -> Config.

end_per_suite(_Config) -> ok.

init_per_group(Group, Config) when Group =:= readers; Group =:= while_posts_come ->
    Config;
init_per_group(many, Config) ->
    twitter_cases:start(Config, #{name => "many", twitter => #{catch_up => 1000}});
init_per_group(Way, Config) ->
    twitter_cases:start(Config, #{name => atom_to_list(Way), twitter => #{delivery => Way, catch_up => ?LIMIT}}).

end_per_group(Group, _Config) when Group =:= readers; Group =:= while_posts_come -> ok;
end_per_group(_Way, Config) -> twitter_cases:stop(Config).

%%% What comes

what_was_missed_comes_once(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    ok = publish(Config, Alice, [<<"a">>, <<"b">>]),
    Back = login(Config, Bob),
    ?assertEqual([<<"a">>, <<"b">>], ids(Config, Back)),
    ok = publish(Config, Alice, [<<"c">>]),
    ?assertEqual([<<"c">>], ids(Config, Back)),
    ok = twitter_client:close(Back),
    Again = login(Config, Bob),
    ?assertEqual([], ids(Config, Again)),
    ?assertEqual(<<"FriendsStream">>, title(Again)),
    ok = twitter_client:abort(Again),
    ok = await_offline(Config, Bob),
    ok = publish(Config, Alice, [<<"d">>]),
    ?assertEqual([<<"d">>], ids(Config, login(Config, Bob))).

it_looks_as_when_it_is_pushed(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    Online = login(Config, Bob),
    Publish = fun() -> twitter_requests:publish(Alice, <<"a">>, <<"Hello & good night">>) end,
    _ = Publish(),
    [Pushed] = events(Config, Online),
    ok = twitter_requests:retract(Alice, <<"a">>),
    ok = twitter_client:close(Online),
    Before = erlang:system_time(second),
    _ = Publish(),
    ok = settle(Config),
    [Late] = events(Config, login(Config, Bob)),
    Delay = fxml:get_subtag_with_xmlns(Late, <<"delay">>, <<"urn:xmpp:delay">>),
    ?assertEqual(<<"pubsub.localhost">>, fxml:get_tag_attr_s(<<"from">>, Delay)),
    Stamp = calendar:rfc3339_to_system_time(binary_to_list(fxml:get_tag_attr_s(<<"stamp">>, Delay))),
    ?assert(Stamp >= Before andalso Stamp =< erlang:system_time(second)),
    ?assertEqual(plain(Pushed), plain(fxml:remove_subtags(Late, <<"delay">>, {<<"xmlns">>, <<"urn:xmpp:delay">>}))),
    ?assertMatch(<<_, _/binary>>, twitter_events:body(Late)).

the_newest_come_oldest_first(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    ok = publish(Config, Alice, [integer_to_binary(N) || N <- lists:seq(1, ?LIMIT + 3)]),
    Back = login(Config, Bob),
    ?assertEqual([integer_to_binary(N) || N <- lists:seq(4, ?LIMIT + 3)], ids(Config, Back)),
    ?assertEqual(<<"FriendsStream (3 new)">>, title(Back)),
    ?assertEqual([<<"FriendsStream (3 new)">>], [Name || {?FRIENDS, Name} <- twitter_reading:rows(Back, <<"/twitter">>)]),
    %% What is left does not come later, but is found.
    ok = twitter_client:close(Back),
    ok = publish(Config, Alice, [<<"later">>]),
    Again = login(Config, Bob),
    ?assertEqual([<<"later">>], ids(Config, Again)),
    ?assertEqual(<<"FriendsStream (3 new)">>, title(Again)),
    %% Reading clears what is on the page.
    _ = twitter_reading:posts(Again, ?FRIENDS, #{max_items => ?LIMIT + 2}),
    ?assertEqual(<<"FriendsStream (2 new)">>, title(Again)),
    _ = twitter_reading:rows(Again, ?FRIENDS),
    ?assertEqual(<<"FriendsStream">>, title(Again)).

of_several_friends_in_one_order(Config) ->
    [Bob | Authors] = twitter_cases:offline_friends(Config, [<<"bob">>, <<"alice">>, <<"carol">>, <<"dave">>]),
    ok = twitter_client:close(login(Config, Bob)),
    Posts = twitter_cases:chat([login(Config, Author) || Author <- Authors], 2),
    ok = settle(Config),
    Entries = lists:flatmap(fun twitter_events:entries/1, events(Config, login(Config, Bob))),
    ?assertEqual(lists:nthtail(length(Posts) - ?LIMIT, Posts), [{Publisher, Id} || {item, Publisher, Id, _} <- Entries]).

who_comes_for_the_first_time(Config) ->
    [Alice, Bob] = twitter_cases:offline_friends(Config, [<<"alice">>, <<"bob">>]),
    ok = publish(Config, login(Config, Alice), [integer_to_binary(N) || N <- lists:seq(1, ?LIMIT + 2)]),
    First = login(Config, Bob),
    ?assertEqual([integer_to_binary(N) || N <- lists:seq(3, ?LIMIT + 2)], ids(Config, First)),
    %% What is older is old.
    ?assertEqual(<<"FriendsStream">>, title(First)).

%%% Devices

another_device_gets_nothing(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    ok = publish(Config, Alice, [<<"a">>]),
    Desk = login(Config, Bob),
    Phone = login(Config, Bob),
    ?assertEqual([<<"a">>], ids(Config, Desk)),
    ?assertEqual([], ids(Config, Phone)),
    %% Nor when the first has gone: he is there.
    ok = twitter_client:close(Desk),
    ok = publish(Config, Alice, [<<"b">>]),
    ?assertEqual([<<"b">>], ids(Config, Phone)),
    ?assertEqual([], ids(Config, login(Config, Bob))).

of_two_that_come_at_once_one_gets_it(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    Self = self(),
    lists:foreach(
        fun(Round) ->
            Id = integer_to_binary(Round),
            ok = publish(Config, Alice, [Id]),
            Login = fun() -> twitter_users:login(twitter_cases:server(Config), Bob, #{owner => Self}) end,
            Devices = twitter_cases:together([Login, Login, Login]),
            ?assertEqual([Id], lists:append([ids(Config, Device) || Device <- Devices])),
            _ = twitter_cases:together([fun() -> twitter_client:close(Device) end || Device <- Devices])
        end,
        lists:seq(1, 10)
    ).

unavailable_and_back(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    Client = login(Config, Bob),
    Say = fun(Presence) ->
        ok = twitter_client:send(Client, Presence),
        twitter_client:sync(Client)
    end,
    _ = Say(<<"<presence type='unavailable'/>">>),
    ok = publish(Config, Alice, [<<"a">>]),
    ?assertEqual([], ids(Config, Client)),
    %% He can ask all the same.
    ?assertEqual(<<"FriendsStream (1 new)">>, title(Client)),
    ok = twitter_client:send(Client, <<"<presence/>">>),
    ?assertEqual([<<"a">>], ids(Config, Client)),
    ok = twitter_client:send(Client, <<"<presence><show>away</show></presence>">>),
    ?assertEqual([], ids(Config, Client)).

any_priority_but_no_presence_none(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    ok = publish(Config, Alice, [<<"a">>]),
    Server = twitter_cases:server(Config),
    Hidden = twitter_users:login(Server, Bob, #{priority => none}),
    ?assertEqual([], ids(Config, Hidden)),
    ?assertEqual([<<"a">>], ids(Config, twitter_users:login(Server, Bob, #{priority => -3}))).

%%% What may be seen

an_edit_and_a_deletion_meanwhile(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    ok = publish(Config, Alice, [<<"a">>, <<"b">>, <<"c">>]),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Edited">>),
    ok = twitter_requests:retract(Alice, <<"b">>),
    ok = settle(Config),
    Entries = lists:flatmap(fun twitter_events:entries/1, events(Config, login(Config, Bob))),
    Jid = twitter_client:bare(Alice),
    ?assertEqual(
        [{item, Jid, <<"a">>, [{xmlcdata, <<"Edited">>}]}, {item, Jid, <<"c">>, [{xmlcdata, <<"Post c">>}]}], Entries
    ).

%% Whatever he could see when it was posted.
who_may_not_see_it_gets_nothing(Config) ->
    Server = twitter_cases:server(Config),
    Names = [<<"bob">>, <<"removes">>, <<"removed">>, <<"blocks">>, <<"blocked">>, <<"muted">>, <<"friend">>],
    [Bob | Authors] = twitter_cases:offline_friends(Config, Names),
    Stranger = twitter_users:fresh(Server, <<"stranger">>),
    First = login(Config, Bob),
    [Muted] = [Author || {<<"muted", _/binary>>, _} = Author <- Authors],
    ok = mute(Config, First, Muted),
    ok = twitter_client:close(First),
    Clients = [login(Config, Author) || Author <- [Stranger | Authors]],
    [ok = publish(Config, Client, [Name]) || Client <- Clients, {Name, _} <- [twitter_cases:user(Client)]],
    [_Stranger, Removes, Removed, Blocks, Blocked, _Muted, Friend] = Clients,
    ok = twitter_users:remove_contact(Removes, twitter_users:jid(Bob)),
    ok = twitter_users:remove_contact(Server, Bob, twitter_cases:user(Removed)),
    ok = twitter_users:block(Blocks, twitter_users:jid(Bob)),
    Hidden = twitter_users:login(Server, Bob, #{priority => none}),
    ok = twitter_users:block(Hidden, twitter_client:bare(Blocked)),
    {Only, _} = twitter_cases:user(Friend),
    ?assertEqual(<<"FriendsStream (1 new)">>, title(Hidden)),
    Back = login(Config, Bob),
    ?assertEqual([Only], ids(Config, Back)),
    ?assertEqual([], ids(Config, Hidden)),
    ?assertEqual(<<"FriendsStream">>, title(Back)).

an_active_list_counts(Config) ->
    [Bob, Alice, Carol] = twitter_cases:offline_friends(Config, [<<"bob">>, <<"alice">>, <<"carol">>]),
    ok = twitter_client:close(login(Config, Bob)),
    [ok = publish(Config, login(Config, Author), [Name]) || {Name, _} = Author <- [Alice, Carol]],
    Client = twitter_users:login(twitter_cases:server(Config), Bob, #{priority => none}),
    Set = fun(Content) ->
        Query = [<<"<iq type='set'><query xmlns='jabber:iq:privacy'>">>, Content, <<"</query></iq>">>],
        _ = twitter_answers:result(twitter_client:request(Client, Query))
    end,
    _ = Set([<<"<list name='x'><item type='jid' action='deny' order='1' value='">>, twitter_users:jid(Alice), <<"'/></list>">>]),
    _ = Set(<<"<active name='x'/>">>),
    ok = twitter_client:send(Client, <<"<presence/>">>),
    ?assertEqual([element(1, Carol)], ids(Config, Client)).

%%% What is wanted

settings_count(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    ok = set(Config, Bob, {true, true, false}),
    ok = publish(Config, Alice, [<<"a">>]),
    Back = login(Config, Bob),
    ?assertEqual([], ids(Config, Back)),
    ?assertEqual(<<"FriendsStream (1 new)">>, title(Back)),
    ok = publish(Config, Alice, [<<"b">>]),
    ?assertEqual([<<"b">>], ids(Config, Back)),
    ?assertEqual(<<"FriendsStream (1 new)">>, title(Back)),
    ok = twitter_client:close(Back),
    ok = set(Config, Bob, {true, false, true}),
    ok = publish(Config, Alice, [<<"c">>]),
    [Late] = events(Config, login(Config, Bob)),
    ?assertEqual(none, twitter_events:body(Late)).

while_pushes_are_off(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    Client = login(Config, Bob),
    ok = publish(Config, Alice, [<<"pushed">>]),
    ?assertEqual([<<"pushed">>], ids(Config, Client)),
    ok = set(Config, Bob, {false, true, true}),
    ok = publish(Config, Alice, [<<"a">>, <<"b">>]),
    ?assertEqual([], ids(Config, Client)),
    ?assertEqual(<<"FriendsStream (2 new)">>, title(Client)),
    _ = twitter_reading:posts(Client, ?FRIENDS, #{max_items => 1}),
    ?assertEqual(<<"FriendsStream (1 new)">>, title(Client)),
    ok = set(Config, Bob, {true, true, true}),
    ok = publish(Config, Alice, [<<"c">>]),
    ?assertEqual([<<"c">>], ids(Config, Client)),
    ?assertEqual(<<"FriendsStream (1 new)">>, title(Client)),
    ok = twitter_client:close(Client),
    Again = login(Config, Bob),
    ?assertEqual([], ids(Config, Again)).

without_pushes_from_the_beginning(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    ok = set(Config, Bob, {false, true, true}),
    ok = publish(Config, Alice, [<<"a">>]),
    Client = login(Config, Bob),
    ?assertEqual([<<"a">>], ids(Config, Client)),
    ?assertEqual(<<"FriendsStream">>, title(Client)),
    ok = publish(Config, Alice, [<<"b">>]),
    ?assertEqual([], ids(Config, Client)),
    ?assertEqual(<<"FriendsStream (1 new)">>, title(Client)),
    ok = twitter_client:close(Client),
    ok = publish(Config, Alice, [<<"c">>]),
    ?assertEqual([<<"b">>, <<"c">>], ids(Config, login(Config, Bob))).

whatever_a_client_wrote_there(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    ok = publish(Config, Alice, [<<"a">>]),
    Mark = fun(Text) -> [<<"<mark host='pubsub.localhost'>">>, Text, <<"</mark>">>] end,
    lists:foreach(
        fun(Content) ->
            Hidden = twitter_users:login(twitter_cases:server(Config), Bob, #{priority => none}),
            Iq = [<<"<iq type='set'><query xmlns='jabber:iq:private'><unread xmlns='">>, ?UNREAD, <<"'>">>, Content,
                  <<"</unread></query></iq>">>],
            _ = twitter_answers:result(twitter_client:request(Hidden, Iq)),
            %% Nothing is known of him, so this is the first time.
            Client = login(Config, Bob),
            ?assertEqual({Content, [<<"a">>]}, {Content, ids(Config, Client)}),
            ?assertEqual(<<"FriendsStream">>, title(Client)),
            ok = twitter_client:close(Client),
            ok = twitter_client:close(Hidden)
        end,
        [
            [], <<"text">>, Mark(<<>>), Mark(<<"online">>), Mark(<<"offline 0 -1-">>), Mark(<<"offline 0 18446744073709551616-">>),
            Mark(<<"online 1 2 5-3">>), Mark(<<"offline 1 1-2 2-3">>), Mark(<<"<mark/>">>), Mark(binary:copy(<<"x">>, 60_000)),
            [<<"<mark host='">>, binary:copy(<<"x">>, 3000), <<"'>offline 0 0-</mark>">>]
        ]
    ).

%% One session is sent it as missed and leaves; it is on its way until the next one has come.
not_pushed_to_the_next_session(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = author_and_reader(Config),
    Workers = twitter_inside:workers(Server, twitter_fanout),
    ok = twitter_inside:suspend(Server, Workers),
    Id = twitter_requests:publish(Alice, <<"late">>, <<"Hello">>),
    First = login(Config, Bob),
    ?assertMatch([{_, Id}], ids_of(twitter_client:sync(First))),
    ok = twitter_client:close(First),
    ok = await_offline(Config, Bob),
    Second = login(Config, Bob),
    ?assertEqual([], ids_of(twitter_client:sync(Second))),
    ok = twitter_inside:resume(Server, Workers),
    ?assertEqual([], ids(Config, Second)),
    ?assertEqual(<<"FriendsStream">>, title(Second)),
    %% What is posted, or changed, from now on is.
    ok = publish(Config, Alice, [<<"new">>]),
    _ = twitter_requests:publish(Alice, Id, <<"Hello again">>),
    ?assertEqual([<<"new">>, Id], ids(Config, Second)).

%%% Whenever one comes and leaves

%% The posts are on their way to him just when he leaves or comes.
each_once_whenever_one_comes_and_leaves(Config) ->
    {Authors, Ids, Bob} = busy(Config),
    Received = received(Config, Bob, Authors, Ids, fun(Stop) -> visits(Config, Bob, Stop) end),
    ?assertEqual([], Received -- lists:usort(Received)).

each_once_with_two_devices(Config) ->
    {Authors, Ids, Bob} = busy(Config),
    _ = received(Config, Bob, Authors, Ids, fun(Stop) -> overlapping(Config, Bob, login(Config, Bob), Stop) end),
    ok.

%% Of one device after the other.
visits(Config, Bob, Stop) ->
    Client = login(Config, Bob),
    Received = case rand:uniform(3) of
        1 ->
            ok = twitter_client:send(Client, <<"<presence type='unavailable'/>">>),
            ok = twitter_client:send(Client, <<"<presence/>">>),
            left(Client);
        2 ->
            ok = twitter_client:send(Client, <<"<presence type='unavailable'/>">>),
            Ids = ids_of(twitter_client:sync(Client)),
            ok = twitter_client:send(Client, <<"<presence/>">>),
            Ids ++ left(Client);
        3 ->
            left(Client)
    end,
    case Stop() of
        true -> [Received];
        false -> [Received | visits(Config, Bob, Stop)]
    end.

%% The next comes before the last has gone: what both get, both get live.
overlapping(Config, Bob, Client, Stop) ->
    Next = login(Config, Bob),
    Received = left(Client),
    case Stop() of
        true -> [Received, left(Next)];
        false -> [Received | overlapping(Config, Bob, Next, Stop)]
    end.

busy(Config) ->
    [Bob | Authors] = twitter_cases:offline_friends(Config, [<<"bob">> | [<<"author">> || _ <- lists:seq(1, 3)]]),
    ok = twitter_client:close(login(Config, Bob)),
    {Authors, [integer_to_binary(N) || N <- lists:seq(1, 150)], Bob}.

%% All that he got, when nothing is missing; and none twice on one device.
received(Config, Bob, Authors, Ids, Visit) ->
    Writers = [spawn_monitor(fun() -> _ = twitter_requests:publish_all(login(Config, Author), Ids) end) || Author <- Authors],
    Visits = Visit(fun() -> lists:all(fun({Pid, _}) -> not is_process_alive(Pid) end, Writers) end),
    [receive {'DOWN', Monitor, process, _, Reason} -> ?assertEqual(normal, Reason) end || {_, Monitor} <- Writers],
    Last = login(Config, Bob),
    Devices = Visits ++ [[{Publisher, Id} || {item, Publisher, Id, _} <- lists:flatmap(fun twitter_events:entries/1, events(Config, Last))]],
    ?assertEqual(<<"FriendsStream">>, title(Last)),
    ct:pal("Posts of each visit: ~w", [lists:map(fun length/1, Devices)]),
    All = [{twitter_users:jid(Author), Id} || Author <- Authors, Id <- Ids],
    Received = lists:append(Devices),
    ?assertEqual([], All -- Received),
    ?assertEqual([], lists:append([Posts -- lists:usort(Posts) || Posts <- Devices])),
    Received.

%% What this device got until it left in good order.
left(Client) ->
    ok = twitter_client:raw(Client, <<"</stream:stream>">>),
    {closed, Received} = gen_server:call(Client, {expect, fun(_) -> false end, 10_000}, infinity),
    ok = twitter_client:abort(Client),
    ids_of(Received).

ids_of(Stanzas) ->
    IsEvent = twitter_events:is_event(),
    [{Publisher, Id} || Stanza <- Stanzas, IsEvent(Stanza), {item, Publisher, Id, _} <- twitter_events:entries(Stanza)].

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

settle(Config) ->
    twitter_server:settle(twitter_cases:server(Config), <<"pubsub.localhost">>).

events(Config, Client) ->
    twitter_events:received(twitter_cases:server(Config), Client).

set(Config, User, {Pushes, Bodies, CatchUp}) ->
    twitter_wishes:change(twitter_cases:server(Config), twitter_users:jid(User), set, [Pushes, Bodies, CatchUp]).

mute(Config, Client, Friend) ->
    Args = [twitter_users:jid(Friend), forever],
    twitter_wishes:change(twitter_cases:server(Config), twitter_client:bare(Client), mute, Args).

plain(#xmlel{attrs = Attrs, children = Children} = El) ->
    El#xmlel{attrs = lists:sort(Attrs), children = lists:sort(Children)}.
