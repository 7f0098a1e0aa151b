%%% Limits that protect the server and the readers: of depth, of size, of patience.
-module(limits_SUITE).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([
    deep_payloads_are_refused/1,
    an_answer_has_a_largest_size/1,
    so_many_ids_and_no_more/1,
    retractions_come_in_several_messages/1,
    one_author_does_not_hold_up_another/1,
    who_loses_the_right_between_two_pages_gets_nothing/1,
    a_used_number_brings_nothing_along/1,
    a_bad_roster_name_costs_nobody_his_roster/1,
    no_error_was_logged/1
]).
%% Run in the server under test.
-export([end_friendship/4, add_bad_name/2, seem_online/1]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [
        deep_payloads_are_refused,
        an_answer_has_a_largest_size,
        so_many_ids_and_no_more,
        retractions_come_in_several_messages,
        one_author_does_not_hold_up_another,
        who_loses_the_right_between_two_pages_gets_nothing,
        a_used_number_brings_nothing_along,
        a_bad_roster_name_costs_nobody_his_roster,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{
        hosts => [<<"localhost">>, <<"other.localhost">>],
        pubsub => #{last_item_cache => true}
    }).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%% Some of these would end the whole server if somebody made XML of them again.
deep_payloads_are_refused(Config) ->
    Server = twitter_cases:server(Config),
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    Dave = twitter_users:login(Server, twitter_users:fresh(Server, <<"dave">>, <<"other.localhost">>)),
    Process = twitter_server:os_pid(Server),
    [
        ?assertEqual({Depth, Condition}, {Depth, publish_deep(Client, Depth)})
     || Depth <- [65, 500, 4000, 20000],
        {Client, Condition} <- [{Alice, <<"bad-request">>}, {Dave, <<"not-allowed">>}]
    ],
    ?assertEqual(none, publish_deep(Alice, 64)),
    ?assertEqual(Process, twitter_server:os_pid(Server)),
    ?assertEqual(1, length(ids(Alice, ?MINE, #{}))).

%% Sent as bytes: the client would have to make XML of it, too.
publish_deep(Client, Depth) ->
    Id = <<"deep-", (integer_to_binary(Depth))/binary>>,
    Open = lists:duplicate(Depth - 1, <<"<a>">>),
    Close = lists:duplicate(Depth - 1, <<"</a>">>),
    ok = twitter_client:raw(Client, [
        <<"<iq type='set' to='pubsub.localhost' id='">>, Id, <<"'>">>,
        <<"<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='/twitter/MyStream'>">>,
        <<"<item>">>, Open, <<"<a xmlns='urn:a'/>">>, Close, <<"</item></publish></pubsub></iq>">>
    ]),
    IsAnswer = fun(Stanza) -> fxml:get_tag_attr_s(<<"id">>, Stanza) =:= Id end,
    twitter_answers:refusal(twitter_client:expect(Client, IsAnswer)).

%% Whoever asks for all gets pages that are shorter than he wanted; their union is the whole.
an_answer_has_a_largest_size(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Text = binary:copy(<<"x">>, 60000),
    Ids = [twitter_requests:publish(Alice, Text) || _ <- lists:seq(1, 40)],
    Forward = walk(Bob, #{max => 1000}, 'after', last),
    Backward = walk(Bob, #{max => 1000, before => <<>>}, before, first),
    ?assertEqual(Ids, lists:append(Forward)),
    ?assertEqual(Ids, lists:append(lists:reverse(Backward))),
    [?assert(length(Page) < 20) || Page <- Forward ++ Backward].

walk(Client, Rsm, Side, End) ->
    Answer = twitter_requests:items(Client, ?FRIENDS, #{rsm => Rsm}),
    case twitter_answers:ids(Answer) of
        [] ->
            [];
        Page ->
            Cursor = maps:get(End, twitter_answers:page(Answer)),
            [Page | walk(Client, (maps:remove(before, Rsm))#{Side => Cursor}, Side, End)]
    end.

so_many_ids_and_no_more(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    _ = twitter_requests:publish(Alice, <<"1">>, <<"One">>),
    Ids = [integer_to_binary(N) || N <- lists:seq(1, 1000)],
    ?assertEqual([<<"1">>], ids(Bob, ?FRIENDS, #{ids => Ids})),
    TooMany = twitter_requests:items(Bob, ?FRIENDS, #{ids => [<<"0">> | Ids]}),
    ?assertEqual(<<"not-acceptable">>, twitter_answers:refusal(TooMany)).

retractions_come_in_several_messages(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Long = binary:copy(<<"i">>, 250),
    Ids = [<<Long/binary, (integer_to_binary(N))/binary>> || N <- lists:seq(100, 199)],
    _ = [twitter_requests:publish(Alice, Id, <<"Soon gone">>) || Id <- Ids],
    _ = twitter_events:received(twitter_cases:server(Config), Bob),
    _ = twitter_requests:purge(Alice),
    Messages = twitter_events:received(twitter_cases:server(Config), Bob),
    ?assert(length(Messages) > 1),
    [?assert(byte_size(fxml:element_to_binary(Message)) < 40000) || Message <- Messages],
    ?assertEqual(Ids, [Id || Message <- Messages, {retract, _, Id} <- twitter_events:entries(Message)]).

%% Zoe is the last of Alice's many contacts, and Eve's only one; Alice posts first, on the same worker.
one_author_does_not_hold_up_another(Config) ->
    Server = twitter_cases:server(Config),
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    Worker = worker(Server, Alice),
    Eve = hd([Client || _ <- lists:seq(1, 50), [Client] <- [twitter_cases:strangers(Config, [<<"eve">>])], worker(Server, Client) =:= Worker]),
    served_last(Server, Alice, fun(Zoe) ->
        ok = twitter_users:set_contact(Server, twitter_cases:user(Eve), twitter_client:bare(Zoe), from),
        ok = twitter_server:call(Server, sys, suspend, [Worker]),
        _ = twitter_requests:publish(Alice, <<"alice">>, <<"To hundreds">>),
        _ = twitter_requests:publish(Alice, <<"again">>, <<"To hundreds">>),
        _ = twitter_requests:publish(Eve, <<"eve">>, <<"To one">>),
        ok = twitter_server:call(Server, sys, resume, [Worker]),
        Received = [Id || {item, _, Id, _} <- twitter_events:posts(Server, Zoe)],
        ?assertEqual([<<"eve">>, <<"alice">>, <<"again">>], Received)
    end).

%% When Alice's post is sent to the first of many, she takes Zoe off her roster.
who_loses_the_right_between_two_pages_gets_nothing(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Adam] = twitter_cases:friends(Config, [<<"alice">>, <<"adam">>]),
    served_last(Server, Alice, fun(Zoe) ->
        _ = twitter_requests:publish(Alice, <<"a">>, <<"For Zoe as well">>),
        ?assertMatch([{item, _, <<"a">>, _}], twitter_events:posts(Server, Zoe)),
        ok = twitter_server:call(Server, persistent_term, put, [?MODULE, twitter_client:bare(Zoe)]),
        twitter_cases:hooked(Config, privacy_check_packet, {?MODULE, end_friendship}, fun() ->
            _ = twitter_requests:publish(Alice, <<"b">>, <<"Not for Zoe any more">>),
            ?assertMatch([_, {item, _, <<"b">>, _}], twitter_events:posts(Server, Adam)),
            ?assertEqual([], twitter_events:posts(Server, Zoe))
        end)
    end).

end_friendship(Acc, #jid{luser = LUser, lserver = LServer}, #presence{}, out) ->
    _ = mod_roster:del_roster(LUser, LServer, jid:tolower(jid:decode(persistent_term:get(?MODULE)))),
    Acc;
end_friendship(Acc, _, _, _) ->
    Acc.

%% mod_pubsub may keep the last item of each node, by the node's number.
a_used_number_brings_nothing_along(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Carol] = twitter_cases:strangers(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Secret of Alice">>),
    {Name, Host} = twitter_cases:user(Alice),
    ok = twitter_server:call(Server, ejabberd_auth, remove_user, [Name, Host]),
    El = fun(Element, Attrs) -> twitter_requests:el(Element, [{<<"node">>, Name} | Attrs], []) end,
    _ = twitter_answers:result(twitter_requests:pubsub(Bob, set, [El(<<"create">>, [])])),
    Jid = [{<<"jid">>, twitter_client:bare(Carol)}],
    _ = twitter_answers:result(twitter_requests:pubsub(Carol, set, [El(<<"subscribe">>, Jid)])),
    ok = twitter_client:refute(Carol, twitter_events:is_event()).

a_bad_roster_name_costs_nobody_his_roster(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    twitter_cases:hooked(Config, roster_get, {?MODULE, add_bad_name}, fun() ->
        _ = twitter_requests:publish(Alice, <<"a">>, <<"Hello">>),
        ?assertMatch([{item, _, <<"a">>, _}], twitter_events:posts(Server, Bob)),
        ?assertEqual([<<"a">>], ids(Bob, ?FRIENDS, #{}))
    end).

add_bad_name(Items, _User) ->
    [#roster_item{jid = #jid{user = <<"x">>, server = <<"x">>, luser = <<"x">>, lserver = <<"x">>},
                  name = <<255, 254>>, subscription = to} | Items].

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% Gives an author more than a page of contacts who seem to be online, and one who is served after
%% them: those whose sessions are known come first, and of her host they are not while the plugin is
%% stopped there.
served_last(Server, Author, Fun) ->
    Other = <<"other.localhost">>,
    Zoe = twitter_users:login(Server, twitter_users:fresh(Server, <<"zoe">>, Other)),
    Names = [<<"nobody", (integer_to_binary(N))/binary>> || N <- lists:seq(1, 1100)],
    Contacts = [twitter_client:bare(Zoe) | [<<Name/binary, "@localhost">> || Name <- Names]],
    [ok = twitter_users:set_contact(Server, twitter_cases:user(Author), Contact, from) || Contact <- Contacts],
    true = twitter_server:call(Server, code, add_patha, [filename:dirname(code:which(?MODULE))]),
    ok = twitter_server:call(Server, ?MODULE, seem_online, [Names]),
    ok = twitter_server:call(Server, gen_mod, stop_module, [Other, mod_twitter]),
    try
        Fun(Zoe)
    after
        {ok, _} = twitter_server:call(Server, gen_mod, start_module, [Other, mod_twitter])
    end.

%% Runs in the server. What is sent to them goes to a process that reads nothing.
seem_online(Names) ->
    Nobody = spawn(timer, sleep, [infinity]),
    {_, Online} = lists:keyfind(<<"localhost">>, 1, twitter_sessions:here()),
    lists:foreach(fun(Name) -> _ = twitter_nif:arrive(Online, Name, Nobody, <<>>) end, Names).

worker(Server, Author) ->
    twitter_inside:worker(Server, twitter_fanout, Author).

ids(Client, Node, Options) ->
    twitter_answers:ids(twitter_requests:items(Client, Node, Options)).
