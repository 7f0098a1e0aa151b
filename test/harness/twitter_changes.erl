%%% Every way in which a reader comes to see an author, and ceases to: by name, as functions that make the
%%% change and return when the server says that it is made. twitter_lists has those of privacy lists.
-module(twitter_changes).

-export([ways/0, shared_ways/0]).
-export([way/4, send_presence/3, subscribe/2]).
-export_type([way/0]).

-type change() :: fun((twitter_people:people()) -> term()).
-type way() :: #{
    name := atom(),
    %% Leads from strangers to where `lose' leads.
    before := change(),
    gain := change(),
    lose := change(),
    %% What is left to the reader then: a push goes by the roster of the author alone, a read by both.
    left := #{push := boolean(), read := boolean()},
    %% Whether the reader need not be online for it.
    away := boolean()
}.

-define(HOST, "localhost").
-define(NOTHING, #{push => false, read => false}).
%% Of one who does not call the author his contact any more.
-define(PUSH, #{push => true, read => false}).

-spec ways() -> [way()].
ways() ->
    by_presence() ++ by_roster() ++ by_command() ++ by_block() ++ by_account().

%% @doc A way that leaves nothing to the reader and can be gone while he is away.
-spec way(atom(), change(), change(), change()) -> way().
way(Name, Before, Gain, Lose) ->
    #{name => Name, before => Before, gain => Gain, lose => Lose, left => ?NOTHING, away => true}.

by_himself(Way) -> Way#{away := false}.

leaving(Left, Way) -> Way#{left := Left}.

%%% Presence between clients

by_presence() ->
    Ask = fun(#{author := Author, reader := Reader}) -> send_presence(Reader, Author, <<"subscribe">>) end,
    Allow = fun(#{author := Author, reader := Reader}) -> send_presence(Author, Reader, <<"subscribed">>) end,
    Both = fun(People) -> Ask(People), Allow(People) end,
    Cancel = fun(#{author := Author, reader := Reader}) -> send_presence(Author, Reader, <<"unsubscribed">>) end,
    Leave = fun(#{author := Author, reader := Reader}) -> send_presence(Reader, Author, <<"unsubscribe">>) end,
    [
        by_himself(way(subscribed_and_unsubscribed, Ask, Both, Cancel)),
        by_himself(way(subscribe_and_unsubscribe, Ask, Both, Leave)),
        %% The reader's own roster says what it likes; the author's does not know him.
        by_himself(way(both_sides_leave, fun nobody/1, Both, fun(People) -> Leave(People), Cancel(People) end))
    ].

%% @doc Sends presence of a type to the other one's account; returns when both accounts have taken it.
-spec send_presence(twitter_client:client(), twitter_client:client(), binary()) -> ok.
send_presence(From, To, Type) ->
    twitter_client:send(From, [<<"<presence to='">>, twitter_client:bare(To), <<"' type='">>, Type, <<"'/>">>]),
    _ = twitter_client:sync(From),
    ok.

%% @doc The reader asks to see the author, who agrees.
-spec subscribe(Reader :: twitter_client:client(), Author :: twitter_client:client()) -> ok.
subscribe(Reader, Author) ->
    send_presence(Reader, Author, <<"subscribe">>),
    send_presence(Author, Reader, <<"subscribed">>).

nobody(_People) -> ok.

%%% Rosters, by their owners

by_roster() ->
    Subscribe = fun(#{author := Author, reader := Reader}) -> subscribe(Reader, Author) end,
    Remove = fun(Owner, Contact) ->
        fun(People) ->
            #{Owner := Client, Contact := Other} = People,
            ok = twitter_users:remove_contact(Client, twitter_client:bare(Other))
        end
    end,
    [
        by_himself(way(roster_remove_by_the_author, fun nobody/1, Subscribe, Remove(author, reader))),
        by_himself(way(roster_remove_by_the_reader, fun nobody/1, Subscribe, Remove(reader, author)))
    ].

%%% ejabberdctl

by_command() ->
    Authors = fun(Subscription) -> add(author, reader, Subscription) end,
    Readers = fun(Subscription) -> add(reader, author, Subscription) end,
    Befriend = fun(People) -> (Authors("both"))(People), (Readers("both"))(People) end,
    BothPush = fun(People) -> push(author, reader, People), push(reader, author, People) end,
    BothPurge = fun(People) -> purge(author, reader, People), purge(reader, author, People) end,
    [
        way(add_and_delete_rosteritem_of_the_author, Readers("to"), Befriend, delete(author, reader)),
        way(add_and_delete_rosteritem_of_the_reader, fun nobody/1, Befriend, delete(reader, author)),
        way(add_rosteritem_both_and_to, Readers("both"), Authors("both"), Authors("to")),
        way(add_rosteritem_from_and_none, Readers("to"), Authors("from"), Authors("none")),
        leaving(?PUSH, way(add_rosteritem_to_and_from_of_the_reader, Authors("from"), Readers("to"), Readers("from"))),
        way(push_roster_and_process_rosteritems, Readers("to"),
            fun(People) -> push(author, reader, People) end, fun(People) -> purge(author, reader, People) end),
        leaving(?PUSH, way(push_roster_and_process_rosteritems_of_the_reader, Authors("from"),
            fun(People) -> push(reader, author, People) end, fun(People) -> purge(reader, author, People) end)),
        way(push_roster_and_process_rosteritems_of_both, fun nobody/1, BothPush, BothPurge),
        way(push_roster_all_and_process_rosteritems, fun nobody/1, fun push_all/1, BothPurge)
    ].

add(Owner, Contact, Subscription) ->
    fun(#{server := Server} = People) ->
        {Name, Other} = {name(Owner, People), name(Contact, People)},
        twitter_ctl:run(Server, ["add_rosteritem", Name, ?HOST, Other, ?HOST, "Nick", "Group", Subscription])
    end.

delete(Owner, Contact) ->
    fun(#{server := Server} = People) ->
        twitter_ctl:run(Server, ["delete_rosteritem", name(Owner, People), ?HOST, name(Contact, People), ?HOST])
    end.

push(Owner, Contact, #{server := Server} = People) ->
    File = file(People, [Contact]),
    twitter_ctl:run(Server, ["push_roster", File, name(Owner, People), ?HOST]).

push_all(#{server := Server} = People) ->
    twitter_ctl:run(Server, ["push_roster_all", file(People, [author, reader])]).

file(#{dir := Dir} = People, Contacts) ->
    File = filename:join(Dir, name(author, People)),
    Lines = [{name(Contact, People), ?HOST, "Group", "Nick"} || Contact <- Contacts],
    ok = file:write_file(File, io_lib:format("~tp.~n", [Lines])),
    File.

%% It writes past mod_roster and its cache, and roster_get shows it when that is cleared.
purge(Owner, Contact, #{server := Server} = People) ->
    [User, Other] = [name(Who, People) ++ "@" ++ ?HOST || Who <- [Owner, Contact]],
    twitter_ctl:run(Server, ["process_rosteritems", "delete", "any", "any", User, Other]),
    twitter_ctl:run(Server, ["clear_cache"]).

name(author, #{author := Author}) -> unicode:characters_to_list(element(1, twitter_cases:user(Author)));
name(reader, #{reader_user := {Name, _}}) -> unicode:characters_to_list(Name).

%%% Blocks (XEP-0191)

by_block() ->
    ByAuthor = fun(Action) ->
        fun(#{author := Author, reader_user := User}) -> twitter_users:Action(Author, twitter_users:jid(User)) end
    end,
    ByReader = fun(Action) ->
        fun(#{author := Author, reader := Reader}) -> twitter_users:Action(Reader, twitter_client:bare(Author)) end
    end,
    UnblockAll = fun(Who) ->
        fun(#{Who := Client}) ->
            Unblock = <<"<iq type='set'><unblock xmlns='urn:xmpp:blocking'/></iq>">>,
            _ = twitter_answers:result(twitter_client:request(Client, Unblock))
        end
    end,
    [
        way(block_and_unblock_by_the_author, friends_then(ByAuthor(block)), ByAuthor(unblock), ByAuthor(block)),
        way(block_and_unblock_all_by_the_author, friends_then(ByAuthor(block)), UnblockAll(author), ByAuthor(block)),
        by_himself(way(block_and_unblock_by_the_reader, friends_then(ByReader(block)), ByReader(unblock), ByReader(block))),
        by_himself(way(block_and_unblock_all_by_the_reader, friends_then(ByReader(block)), UnblockAll(reader), ByReader(block)))
    ].

friends_then(Change) ->
    fun(People) ->
        befriend(People),
        Change(People)
    end.

befriend(#{server := Server, author := Author, reader_user := User}) ->
    ok = twitter_users:befriend(Server, twitter_cases:user(Author), User).

%%% Accounts

%% The author's roster keeps the name of somebody who is gone only as a stranger's. The reader's session
%% ends with his account, so he has to be away.
by_account() ->
    Anew = fun(#{server := Server, reader_user := {Name, _} = User, seen := Seen}) ->
        twitter_ctl:run(Server, ["unregister", Name, ?HOST]),
        twitter_ctl:run(Server, ["register", Name, ?HOST, "secret"]),
        [Friend, Host] = binary:split(Seen, <<"@">>),
        ok = twitter_users:befriend(Server, {Friend, Host}, User)
    end,
    [(way(unregister_and_register_the_reader, friends_then(Anew), fun befriend/1, Anew))#{away := only}].

%%% Shared roster groups: with mod_shared_roster

-spec shared_ways() -> [way()].
shared_ways() ->
    Add = fun(Who) -> member("srg_user_add", Who, group) end,
    Delete = fun(Who) -> member("srg_user_del", Who, group) end,
    Create = fun(People) -> group(People, group, [group]) end,
    Filled = fun(People) -> Create(People), [(Add(Who))(People) || Who <- [author, reader]] end,
    Remove = fun(#{server := Server} = People) -> twitter_ctl:run(Server, ["srg_delete", id(group, People), ?HOST]) end,
    %% Two groups, of which each sees the other while it is displayed.
    Apart = fun(People) -> group(People, authors, []), group(People, readers, []) end,
    Displayed = fun(People) -> group(People, authors, [readers]), group(People, readers, [authors]) end,
    Halves = fun(People) ->
        Apart(People),
        (member("srg_user_add", author, authors))(People),
        (member("srg_user_add", reader, readers))(People)
    end,
    ToAuthor = fun(People) -> group(People, authors, [readers]), group(People, readers, []) end,
    ToReader = fun(People) -> group(People, authors, []), group(People, readers, [authors]) end,
    [
        way(shared_group_member, fun(P) -> Create(P), (Add(author))(P) end, Add(reader), Delete(reader)),
        way(shared_group_member_who_writes, fun(P) -> Create(P), (Add(reader))(P) end, Add(author), Delete(author)),
        way(shared_group_deleted, fun nobody/1, Filled, Remove),
        way(shared_groups_displayed, Halves, Displayed, Apart),
        %% His presence goes to whoever is displayed to him, who does not see him in his own roster.
        leaving(?PUSH, way(shared_group_displayed_to_the_author_alone,
            fun(People) -> Halves(People), ToAuthor(People) end, Displayed, ToAuthor)),
        way(shared_group_displayed_to_the_reader_alone, Halves, Displayed, ToReader)
    ].

%% Creates a group, or changes the groups that its members see.
group(#{server := Server} = People, Group, Displayed) ->
    Display = lists:join("\\n", [id(Each, People) || Each <- Displayed]),
    Id = id(Group, People),
    twitter_ctl:run(Server, ["srg_create", Id, ?HOST, Id, "A group", Display]).

member(Command, Who, Group) ->
    fun(#{server := Server} = People) ->
        twitter_ctl:run(Server, [Command, name(Who, People), ?HOST, id(Group, People), ?HOST])
    end.

id(Group, People) ->
    atom_to_list(Group) ++ "-of-" ++ name(author, People).
