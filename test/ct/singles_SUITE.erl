%%% Posts on their way to a server that takes no relays: messages, one for each contact or one for many (XEP-0033),
%%% and no more than the server takes.
-module(singles_SUITE).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    the_stanza_of_the_contract/1,
    edits_and_retractions/1,
    who_has_no_right_gets_nothing/1,
    a_few_at_a_time/1,
    who_lost_the_right_meanwhile_gets_nothing/1,
    an_edit_comes_once/1,
    what_is_old_is_not_sent/1,
    one_for_many/1,
    one_for_many_has_no_stranger/1,
    one_for_many_is_refused/1,
    no_error_was_logged/1
]).

-define(HOST, <<"pubsub.localhost">>).

suite() ->
    [{timetrap, {seconds, 90}}].

all() ->
    [
        the_stanza_of_the_contract,
        edits_and_retractions,
        who_has_no_right_gets_nothing,
        a_few_at_a_time,
        who_lost_the_right_meanwhile_gets_nothing,
        an_edit_comes_once,
        what_is_old_is_not_sent,
        one_for_many,
        one_for_many_has_no_stranger,
        one_for_many_is_refused,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

init_per_testcase(no_error_was_logged, Config) ->
    Config;
init_per_testcase(Case, Config) ->
    Domain = <<(binary:replace(atom_to_binary(Case), <<"_">>, <<"-">>, [global]))/binary, ".test">>,
    Options =
        case lists:prefix("one_for_many", atom_to_list(Case)) of
            true -> #{services => [{<<"multicast.", Domain/binary>>, [?NS_ADDRESS]}]};
            false -> #{}
        end,
    Elsewhere = twitter_played:start(twitter_cases:server(Config), Domain, Options),
    [{elsewhere, Elsewhere}, {domain, Domain} | Config].

end_per_testcase(no_error_was_logged, _Config) ->
    ok;
end_per_testcase(_Case, Config) ->
    twitter_played:stop(elsewhere(Config)).

%%% What is sent

the_stanza_of_the_contract(Config) ->
    Alice = author(Config, [{<<"bob">>, both}]),
    Id = twitter_requests:publish(Alice, <<"Demoing my Twitter-like code">>),
    Message = next(Config),
    Author = twitter_client:bare(Alice),
    {Published, Published, Sent} = stamp(Message),
    ?assert(Sent >= Published),
    ?assertEqual(
        iolist_to_binary([
            <<"<message to='">>, jid(Config, <<"bob">>), <<"' from='pubsub.localhost' type='headline'>">>,
            <<"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='/twitter/FriendsStream'>">>,
            <<"<item id='">>, Id, <<"' publisher='">>, Author, <<"'>Demoing my Twitter-like code</item></items></event>">>,
            <<"<body>">>, Author, <<": Demoing my Twitter-like code</body></message>">>
        ]),
        without_stamp(Message)
    ),
    true = is_quiet(Config).

edits_and_retractions(Config) ->
    Alice = author(Config, [{<<"bob">>, from}]),
    Id = twitter_requests:publish(Alice, <<"One">>),
    {Published, Published, _} = stamp(next(Config)),
    Id = twitter_requests:publish(Alice, Id, <<"Two">>),
    Edit = next(Config),
    {Published, Edited, _} = stamp(Edit),
    ?assert(Edited > Published),
    [{item, _, Id, [{xmlcdata, <<"Two">>}]}] = twitter_events:entries(Edit),
    ok = twitter_requests:retract(Alice, Id),
    Retraction = next(Config),
    {none, Retracted, _} = stamp(Retraction),
    ?assert(Retracted > Edited),
    Author = twitter_client:bare(Alice),
    ?assertEqual(
        iolist_to_binary([
            <<"<message to='">>, jid(Config, <<"bob">>), <<"' from='pubsub.localhost' type='headline'>">>,
            <<"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='/twitter/FriendsStream'>">>,
            <<"<retract id='">>, Id, <<"' publisher='">>, Author, <<"'/></items></event></message>">>
        ]),
        without_stamp(Retraction)
    ),
    true = is_quiet(Config).

%%% To whom

who_has_no_right_gets_nothing(Config) ->
    Contacts = [{<<"bob">>, both}, {<<"to">>, to}, {<<"none">>, none}, {<<"blocked">>, both}, {<<"removed">>, from}],
    Alice = author(Config, Contacts),
    ok = twitter_users:block(Alice, jid(Config, <<"blocked">>)),
    User = twitter_cases:user(Alice),
    ok = twitter_users:remove_contact(server(Config), User, {<<"removed">>, domain(Config)}),
    Id = twitter_requests:publish(Alice, <<"For Bob">>),
    Id = twitter_requests:publish(Alice, Id, <<"For Bob, edited">>),
    ok = twitter_requests:retract(Alice, Id),
    [Bob] = lists:usort([to(Message) || Message <- all(Config)]),
    Bob = jid(Config, <<"bob">>),
    ok = contact(Config, Alice, <<"bob">>, to),
    _ = twitter_requests:publish(Alice, <<"For nobody">>),
    true = is_quiet(Config).

%% It is asked whether the server is there before each portion. When it is not, the others get theirs when it is.
a_few_at_a_time(Config) ->
    Names = names(120),
    Alice = author(Config, [{Name, both} || Name <- Names]),
    ok = twitter_played:change(elsewhere(Config), #{pings => 2}),
    _ = twitter_requests:publish(Alice, <<"To many">>),
    First = all(Config),
    100 = length(First),
    true = is_quiet(Config),
    Pings = [Ping || {ping, _} = Ping <- twitter_played:questions(elsewhere(Config))],
    ?assert(length(Pings) =< 4),
    ok = twitter_played:change(elsewhere(Config), #{pings => 1000}),
    Others = [next(Config) || _ <- lists:seq(101, 120)],
    ?assertEqual(lists:sort([jid(Config, Name) || Name <- Names]), lists:sort([to(M) || M <- First ++ Others])),
    true = is_quiet(Config).

who_lost_the_right_meanwhile_gets_nothing(Config) ->
    Names = names(60),
    Alice = author(Config, [{Name, both} || Name <- Names]),
    ok = twitter_played:change(elsewhere(Config), #{pings => 1}),
    _ = twitter_requests:publish(Alice, <<"To many">>),
    First = [to(Message) || Message <- all(Config)],
    50 = length(First),
    [Removed, Blocked | Left] = [Name || Name <- Names, not lists:member(jid(Config, Name), First)],
    ok = contact(Config, Alice, Removed, none),
    ok = twitter_users:block(Alice, jid(Config, Blocked)),
    ok = twitter_played:change(elsewhere(Config), #{pings => 1000}),
    ?assertEqual(lists:sort([jid(Config, Name) || Name <- Left]), lists:sort([to(next(Config)) || _ <- Left])),
    true = is_quiet(Config).

%% What is to be sent twice, and has become the same by then, is sent once.
an_edit_comes_once(Config) ->
    Alice = author(Config, [{<<"bob">>, both}]),
    ok = twitter_played:change(elsewhere(Config), #{pings => 0}),
    Id = twitter_requests:publish(Alice, <<"One">>),
    true = is_quiet(Config),
    Id = twitter_requests:publish(Alice, Id, <<"Two">>),
    Gone = twitter_requests:publish(Alice, <<"Gone">>),
    ok = twitter_requests:retract(Alice, Gone),
    ok = twitter_played:change(elsewhere(Config), #{pings => 1000}),
    [{item, _, Id, [{xmlcdata, <<"Two">>}]}] = twitter_events:entries(next(Config)),
    [{retract, _, Gone}] = twitter_events:entries(next(Config)),
    true = is_quiet(Config).

what_is_old_is_not_sent(Config) ->
    Alice = author(Config, []),
    Id = twitter_requests:publish(Alice, <<"One">>),
    true = is_quiet(Config),
    ok = contact(Config, Alice, <<"bob">>, both),
    #{dropped := Before} = counters(Config),
    Peer = {?HOST, domain(Config)},
    Old = erlang:system_time(microsecond) - 301_000_000,
    Table = twitter_outbox_localhost,
    ok = call(Config, twitter_outbox, owe, [Table, Peer, twitter_client:bare(Alice), {retract, Id, Old}, 0]),
    ok = call(Config, twitter_links, wake, [<<"localhost">>, [Peer]]),
    true = is_quiet(Config),
    #{dropped := Dropped} = counters(Config),
    1 = Dropped - Before.

%%% One for many

one_for_many(Config) ->
    Names = names(50),
    Alice = author(Config, [{Name, both} || Name <- Names]),
    Id = twitter_requests:publish(Alice, <<"To many">>),
    Messages = all(Config),
    [3, [20, 20, 10]] = [length(Messages), [length(addresses(Message)) || Message <- Messages]],
    ?assertEqual([<<"multicast.", (domain(Config))/binary>>], lists:usort([to(Message) || Message <- Messages])),
    ?assertEqual(lists:sort([jid(Config, Name) || Name <- Names]), lists:sort(lists:append([addresses(M) || M <- Messages]))),
    [[{item, _, Id, [{xmlcdata, <<"To many">>}]}]] = lists:usort([twitter_events:entries(M) || M <- Messages]),
    true = is_quiet(Config).

one_for_many_has_no_stranger(Config) ->
    Alice = author(Config, [{<<"bob">>, both}, {<<"carol">>, from}, {<<"to">>, to}, {<<"blocked">>, both}]),
    ok = twitter_users:block(Alice, jid(Config, <<"blocked">>)),
    Id = twitter_requests:publish(Alice, <<"For two">>),
    Two = [jid(Config, Name) || Name <- [<<"bob">>, <<"carol">>]],
    Two = addresses(next(Config)),
    ok = contact(Config, Alice, <<"carol">>, none),
    ok = twitter_requests:retract(Alice, Id),
    [Bob, _] = Two,
    [Bob] = addresses(next(Config)),
    ok = twitter_users:block(Alice, Bob),
    _ = twitter_requests:publish(Alice, <<"For nobody">>),
    true = is_quiet(Config).

%% Those get it one by one who did not get it so.
one_for_many_is_refused(Config) ->
    Names = names(30),
    Alice = author(Config, [{Name, both} || Name <- Names]),
    ok = twitter_played:change(elsewhere(Config), #{refusing_after => 1}),
    _ = twitter_requests:publish(Alice, <<"To many">>),
    [Taken, _Refused | Others] = all(Config),
    Got = addresses(Taken) ++ [to(Message) || Message <- Others],
    ?assertEqual(lists:sort([jid(Config, Name) || Name <- Names]), lists:sort(Got)),
    _ = twitter_requests:publish(Alice, <<"Again">>),
    30 = length(all(Config)),
    true = is_quiet(Config).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

server(Config) -> twitter_cases:server(Config).

elsewhere(Config) -> proplists:get_value(elsewhere, Config).

domain(Config) -> proplists:get_value(domain, Config).

jid(Config, Name) -> <<Name/binary, "@", (domain(Config))/binary>>.

next(Config) -> twitter_played:next(elsewhere(Config)).

is_quiet(Config) ->
    ?assertEqual([], all(Config)),
    true.

all(Config) ->
    ok = twitter_server:settle(server(Config), ?HOST),
    twitter_played:all(elsewhere(Config)).

call(Config, Module, Function, Args) -> twitter_server:call(server(Config), Module, Function, Args).

counters(Config) -> call(Config, twitter_flow, counters, [<<"localhost">>]).

names(Count) -> lists:sort([<<"reader", (integer_to_binary(N))/binary>> || N <- lists:seq(1, Count)]).

author(Config, Contacts) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    [ok = contact(Config, Alice, Name, Subscription) || {Name, Subscription} <- Contacts],
    Alice.

contact(Config, Author, Name, Subscription) ->
    twitter_users:set_contact(server(Config), twitter_cases:user(Author), {Name, domain(Config)}, Subscription).

to(Message) -> fxml:get_tag_attr_s(<<"to">>, Message).

addresses(Message) ->
    #xmlel{children = Addresses} = fxml:get_subtag_with_xmlns(Message, <<"addresses">>, ?NS_ADDRESS),
    [<<"bcc">>] = lists:usort([fxml:get_tag_attr_s(<<"type">>, Address) || Address <- Addresses]),
    [fxml:get_tag_attr_s(<<"jid">>, Address) || Address <- Addresses].

%% Published, changed and sent, by what stands beside the event.
stamp(Message) ->
    #xmlel{} = Stamp = fxml:get_subtag_with_xmlns(Message, <<"relayed">>, twitter_relay:ns()),
    list_to_tuple([moment(fxml:get_tag_attr(Name, Stamp)) || Name <- [<<"published">>, <<"version">>, <<"sent">>]]).

moment({value, Text}) ->
    [_, <<_:6/binary, "Z">>] = binary:split(Text, <<".">>),
    calendar:rfc3339_to_system_time(binary_to_list(Text), [{unit, microsecond}]);
moment(false) ->
    none.

without_stamp(#xmlel{attrs = Attrs, children = Children} = Message) ->
    Rest = [El || El <- Children, not is_stamp(El)],
    fxml:element_to_binary(Message#xmlel{attrs = lists:keydelete(<<"xmlns">>, 1, Attrs), children = Rest}).

is_stamp(#xmlel{name = Name}) -> Name =:= <<"relayed">>;
is_stamp(_) -> false.
